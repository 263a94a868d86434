"""HTTP to the outside: addresses checked on every path, connections kept, nothing known of providers."""
