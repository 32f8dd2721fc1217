"""Programs that write the shipped suites' items: the same items from the same seed, on every machine."""
