"""The scan station: what runs on the computer at the scanner.

It knows neither ledger nor store nor steps, and installs with the extra `station` alone.
"""
