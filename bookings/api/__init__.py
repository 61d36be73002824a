"""The API of the heart: lots with what is free, quotes and bookings."""
