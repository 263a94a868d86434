"""Power levels: what each chooses among, who may go how high, and what they cost."""
