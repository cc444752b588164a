"""What people see: German words, tables and progress on a terminal, sample letters."""
