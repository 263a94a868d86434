"""What was used and what it cost: sums of usage records, the one query layer behind every figure."""
