"""Toolkits that generate stubs from a WSDL, which are compiled into programs: gSOAP and JAX-WS RI."""

import os
from collections.abc import Sequence
from pathlib import Path

import httpx2
from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, load_pem_private_key, pkcs12

from foreign.programs import HERE, Task, execute
from gridroom.oscp.v10 import wsdl
from gridroom.security import tls

GSOAP = Path("/usr/share/gsoap")
JAXWS = ("/usr/share/java/jaxws-rt.jar", "/usr/share/jaxws/lib/jaxws-rt.jar")
SAAJ = "-Djavax.xml.soap.SAAJMetaFactory=com.sun.xml.messaging.saaj.soap.SAAJMetaFactoryImpl"
PASSWORD = "changeit"


async def gsoap(task: Task, described: str, folder: Path) -> Sequence[str]:
    """A C program; wsdl2h shows no certificate, so a WSDL that is served is fetched first."""
    name = wsdl.FILES[task.namespace]
    place = folder / f"gsoap-{name}"
    place.mkdir()
    if described.startswith("https:"):
        context = tls.client_context(task.certificate, task.key, task.ca)
        async with httpx2.AsyncClient(verify=context, trust_env=False) as browser:
            (place / "served.wsdl").write_bytes((await browser.get(described)).content)
        described = str(place / "served.wsdl")
    include = [f"-I{one}" for one in (place, GSOAP / "plugin", HERE / "c")]
    sources = [str(HERE / "c" / f"{name}.c"), "soapC.c", "soapClient.c", str(GSOAP / "plugin" / "wsaapi.c")]
    libraries = ["-lgsoapssl", "-lssl", "-lcrypto", "-lz"]
    for command in (
        ["wsdl2h", "-c", "-s", "-o", "oscp.h", described],
        ["soapcpp2", "-c", "-C", "-x", "-L", f"-I{GSOAP / 'import'}", "oscp.h"],
        ["cc", "-D_GNU_SOURCE", "-DWITH_OPENSSL", *include, "-o", "client", *sources, *libraries],
    ):
        await execute(command, os.environ, place)
    return [str(place / "client")]


async def jaxws(task: Task, described: str, folder: Path) -> Sequence[str]:
    """A Java program; wsimport reads a WSDL that is served by itself, over mutual TLS."""
    name = wsdl.FILES[task.namespace]
    place = folder / f"jaxws-{name}"
    place.mkdir()
    options = await _stores(task, place)
    main = f"{name.capitalize()}Client"
    classes = os.pathsep.join(["classes", *JAXWS])
    await execute(
        ["wsimport", "-Xnocompile", "-extension", "-XadditionalHeaders", "-s", ".", "-p", "oscp", described],
        {**os.environ, "WSIMPORT_OPTS": " ".join(options)},
        place,
    )
    sources = [
        *map(str, place.glob("oscp/*.java")),
        str(HERE / "java" / "Wire.java"),
        str(HERE / "java" / f"{main}.java"),
    ]
    await execute(["javac", "-proc:none", "-d", "classes", "-cp", os.pathsep.join(JAXWS), *sources], os.environ, place)
    return ["java", SAAJ, "-cp", classes.replace("classes", str(place / "classes"), 1), main]


async def _stores(task: Task, place: Path) -> list[str]:
    """The certificates as Java's tools take them."""
    certificate = x509.load_pem_x509_certificate(task.certificate.read_bytes())
    key = load_pem_private_key(task.key.read_bytes(), None)
    store = pkcs12.serialize_key_and_certificates(
        b"us",
        key,  # type: ignore[arg-type]  # an elliptic curve key
        certificate,
        None,
        BestAvailableEncryption(PASSWORD.encode()),
    )
    (place / "us.p12").write_bytes(store)
    trusted = ["-importcert", "-noprompt", "-alias", "ca", "-file", str(task.ca), "-keystore", "ca.p12"]
    await execute(["keytool", *trusted, "-storetype", "PKCS12", "-storepass", PASSWORD], os.environ, place)
    stores = {"keyStore": "us.p12", "trustStore": "ca.p12"}
    return [
        f"-Djavax.net.ssl.{name}{ending}={value}"
        for name, file in stores.items()
        for ending, value in (("", str(place / file)), ("Password", PASSWORD))
    ]
