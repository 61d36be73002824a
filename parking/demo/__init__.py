"""What `manage.py demo` fills an empty Parkwell with: real lots, three people, and their bookings."""
