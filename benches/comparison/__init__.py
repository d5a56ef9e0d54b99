"""What `peers.py` is made of: rows of work, contenders, taking turns, roofs, tables."""
