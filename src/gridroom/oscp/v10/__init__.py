"""OSCP 1.0 (9 April 2015): values, bytes and one side of a conversation; no network, disk or clock."""
