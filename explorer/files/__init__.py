"""Files of any kind: locks, atomic saves, archives, downloads, tables."""
