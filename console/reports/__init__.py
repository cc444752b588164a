"""Reports for auditors and for data protection: what is there, read off the system itself."""
