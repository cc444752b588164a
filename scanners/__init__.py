"""Everything that brings bytes in: one module or package a channel."""
