"""OSCP 1.0 chapter 4: SetChargingProfile and MeterValues between CSO and local controller ("OCPP 2.0 draft").

`values.py` is what the messages hold, `rules.py` what may not be, `soap.py` bytes and back, `endpoint.py` hosts either
service, `mapping.py` leads to and from OCPP 1.6 and 2.0.1, `wsdl/` is what foreign stacks generate from. Pure: no
network, clock or chance.
"""
