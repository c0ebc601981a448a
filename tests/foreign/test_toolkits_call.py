"""Section 5.1: zeep, PHP, node soap, strong-soap, gSOAP and JAX-WS RI take our WSDLs and hold all five exchanges.

Compilers are not everywhere: the last two are marked `compiled`, which `make test` leaves out and `make foreign` runs.
"""

from pathlib import Path

import pytest

from foreign.compiled import gsoap, jaxws
from foreign.conversations import OTHERWISE, SOAP11, offices_for, talk
from foreign.programs import NODE_SOAP, PHP, STRONG_SOAP, ZEEP, Toolkit
from gridroom.oscp.v10.profile import DEFAULT

TOOLKITS = [
    pytest.param(ZEEP, id="zeep"),
    pytest.param(PHP, id="php"),
    pytest.param(NODE_SOAP, id="soap"),
    pytest.param(STRONG_SOAP, id="strong-soap"),
]
COMPILED = [
    pytest.param(gsoap, id="gsoap", marks=pytest.mark.compiled),
    pytest.param(jaxws, id="jaxws", marks=pytest.mark.compiled),
]


@pytest.mark.parametrize("toolkit", TOOLKITS + COMPILED)
async def test_a_toolkit_takes_the_served_wsdl_and_holds_all_five_exchanges(toolkit: Toolkit, tmp_path: Path) -> None:
    async with offices_for(tmp_path, DEFAULT) as offices:
        await talk(offices, toolkit, tmp_path, served=True)


@pytest.mark.parametrize("toolkit", TOOLKITS + COMPILED)
async def test_a_toolkit_reads_answers_of_the_oddest_profile(toolkit: Toolkit, tmp_path: Path) -> None:
    async with offices_for(tmp_path, OTHERWISE) as offices:
        await talk(offices, toolkit, tmp_path, served=False, profile=OTHERWISE)


@pytest.mark.parametrize("toolkit", TOOLKITS)
async def test_a_peer_whose_profile_says_so_talks_soap_1_1(toolkit: Toolkit, tmp_path: Path) -> None:
    async with offices_for(tmp_path, SOAP11) as offices:
        await talk(offices, toolkit, tmp_path, served=False, profile=SOAP11)
