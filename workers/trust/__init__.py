"""Whom the house trusts, and whether a certificate is qualified (eIDAS).

No step: inspection asks it about signatures that came in, sealing about the certificate that
a class demands. Roots come from a file, qualified providers from trusted lists (ETSI TS 119
612) that something else fetches. Nothing here uses the network.
"""
