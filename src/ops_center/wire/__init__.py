"""What bytes mean: sans-IO readers and writers of the formats that clients and providers speak."""
