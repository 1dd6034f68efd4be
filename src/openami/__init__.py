"""OpenAMI: everything between the kilowatt-hour in a meter and the line on a bill, and every order on its way back."""
