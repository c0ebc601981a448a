"""The Open Smart Charging Protocol between a grid operator (DSO) and charge station operators (CSO).

- `gridroom.oscp.v10`: OSCP 1.0 without network, disk or clock. Start here.
- `gridroom.oscp.io`: the same over HTTPS with certificates on both sides.
- `gridroom.oscp.errors`: what can go wrong.

Source: OSCP 1.0, 9 April 2015.
"""
