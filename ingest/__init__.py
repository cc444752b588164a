"""The core of Scanstraße: what a document is, where it is kept, what comes next."""
