"""The verifier that travels with a bundle: standard library only, Python 3.9 and later.

Its modules are joined into one plain file, `pruefen.py`, by `workers.evidence.bundle.verifier`;
they import nothing but the standard library, `workers.evidence.der` and one another, and no
name stands at the top of two of them. Nothing of what writes bundles is used here, except the
DER reader: a fault in the writer must not hide itself in the verifier. Who runs the file needs
neither this system nor its database; `openssl` is used where it is found.
"""
