"""What is made from records for people: tables in every format, charts, the site. Nothing here measures or ranks."""
