"""How people see dates and times: as the API has them."""
