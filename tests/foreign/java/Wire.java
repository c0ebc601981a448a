import java.io.FileInputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Base64;
import javax.net.ssl.HttpsURLConnection;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import javax.xml.datatype.DatatypeFactory;
import javax.xml.datatype.XMLGregorianCalendar;
import javax.xml.soap.SOAPFault;
import javax.xml.ws.soap.SOAPFaultException;

/** What both clients share: certificates, times, and telling facts one a line (step, name, value). */
final class Wire {
    interface Call {
        void run() throws Exception;
    }

    static String env(String name) {
        return System.getenv(name);
    }

    static void say(String step, String name, Object value) {
        System.out.println(step + "\t" + name + "\t" + String.valueOf(value).replaceAll("[\t\n]", " "));
    }

    /** All HTTPS of this process shows our certificate and trusts the given authority. */
    static void tls() throws Exception {
        CertificateFactory factory = CertificateFactory.getInstance("X.509");
        KeyStore ours = KeyStore.getInstance("PKCS12");
        KeyStore trusted = KeyStore.getInstance("PKCS12");
        ours.load(null, null);
        trusted.load(null, null);
        Certificate[] chain = {factory.generateCertificate(new FileInputStream(env("OSCP_CERT")))};
        String pem = Files.readString(Path.of(env("OSCP_KEY"))).replaceAll("-----[A-Z ]+-----|\\s", "");
        PrivateKey key = KeyFactory.getInstance("EC").generatePrivate(
            new PKCS8EncodedKeySpec(Base64.getDecoder().decode(pem)));
        ours.setKeyEntry("us", key, new char[0], chain);
        trusted.setCertificateEntry("ca", factory.generateCertificate(new FileInputStream(env("OSCP_CA"))));
        KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        keys.init(ours, new char[0]);
        trust.init(trusted);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keys.getKeyManagers(), trust.getTrustManagers(), null);
        SSLContext.setDefault(context);
        HttpsURLConnection.setDefaultSSLSocketFactory(context.getSocketFactory());
    }

    static XMLGregorianCalendar now() throws Exception {
        return DatatypeFactory.newInstance().newXMLGregorianCalendar(Instant.now().toString());
    }

    static XMLGregorianCalendar at(int quarters) throws Exception {
        Instant moment = Instant.parse(env("OSCP_START")).plus(15L * quarters, ChronoUnit.MINUTES);
        return DatatypeFactory.newInstance().newXMLGregorianCalendar(moment.toString());
    }

    static void call(String step, Call call) throws Exception {
        try {
            call.run();
        } catch (SOAPFaultException error) {
            SOAPFault fault = error.getFault();
            say(step, "fault", fault.getFaultCodeAsQName().getLocalPart());
            say(step, "reason", fault.getFaultString());
        }
    }

    private Wire() {}
}
