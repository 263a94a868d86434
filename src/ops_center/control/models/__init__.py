"""What providers serve: their models, with facts from every source and the admin's word over all."""
