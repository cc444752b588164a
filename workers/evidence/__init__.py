"""Evidence records (RFC 4998): one timestamp for many documents, provable one by one.

What a document was made of (original, note, PDF) is a data group. The groups of a batch are
the leaves of a hash tree, only the tree's root is timestamped, and each document keeps the
few digests that lead from it to the root. An evidence record says: these bytes existed no
later than this moment. Before the timestamp's certificate or algorithms end it is renewed by
a timestamp over itself, without reading any document.

`tree`, `der`, `record`, `verification` and `tokens` are plain computation without ledger,
network or clock; `stamping` runs in a child process and asks the authority; `preservation`
joins them with the ledger.
"""
