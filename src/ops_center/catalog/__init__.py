"""What models are, what they cost and how good they are: data with source and date, pricing in one function."""
