"""Run by the judges' Python: certificates for the vendors' hosts, by an authority that nobody else trusts.

usage: certificates.py DIRECTORY HOST...
"""

from __future__ import annotations

import sys
from pathlib import Path

import trustme

directory, hosts = Path(sys.argv[1]), sys.argv[2:]
authority = trustme.CA()
certificate = authority.issue_cert(*hosts)
authority.cert_pem.write_to_path(str(directory / "ca.pem"))
certificate.private_key_and_cert_chain_pem.write_to_path(str(directory / "server.pem"))
