"""What is kept: the database, its tables and migrations, the usage journal and sealed secrets."""
