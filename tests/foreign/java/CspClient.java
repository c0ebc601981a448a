import static oscp.UnitOfMeasure.A;

import java.math.BigDecimal;
import java.net.URL;
import java.nio.file.Path;
import javax.xml.ws.Holder;
import javax.xml.ws.soap.AddressingFeature;
import oscp.CableType;
import oscp.ChargeServiceProviderServiceV10;
import oscp.ChargeServiceProviderServiceV10_Service;
import oscp.ForecastType;
import oscp.ForecastedBlockType;
import oscp.HeartbeatRequest;
import oscp.HeartbeatResponse;
import oscp.PartiesType;
import oscp.Result;
import oscp.UnitOfMeasure;
import oscp.UpdateCableCapacityForecastRequest;
import oscp.ValueType;

/** Calls the CSO's service of OSCP 1.0 with JAX-WS RI. */
final class CspClient {
    private static Holder<PartiesType> parties(String sender) {
        PartiesType parties = new PartiesType();
        parties.setSenderID(sender);
        parties.setReceiverID(Wire.env("OSCP_RECEIVER"));
        return new Holder<>(parties);
    }

    private static ValueType amount(String value, UnitOfMeasure unit, Integer phase) {
        ValueType amount = new ValueType();
        amount.setValue(new BigDecimal(value));
        amount.setUnit(unit);
        amount.setPhase(phase);
        return amount;
    }

    private static void tell(String step, Holder<PartiesType> parties, Result result) {
        Wire.say(step, "from", parties.value.getSenderID());
        Wire.say(step, "type", result.getType().value());
        result.getDetails().getDetail().forEach(one ->
            Wire.say(step, "detail", one.getCode() + " " + one.getLevel() + " " + one.getMessage()));
    }

    private static UpdateCableCapacityForecastRequest forecast() throws Exception {
        ForecastType forecast = new ForecastType();
        forecast.setCable(new CableType());
        forecast.getCable().setCableId(Wire.env("OSCP_CABLE"));
        for (int i = 0; i < 96; i++) {
            ForecastedBlockType block = new ForecastedBlockType();
            block.getCapacity().add(amount("33.00", A, 1));
            block.getCapacity().add(amount("22.50", A, 2));
            block.getCapacity().add(amount("11.00", A, 3));
            block.setStartTime(Wire.at(i));
            block.setEndTime(Wire.at(i + 1));
            block.getRemainingCapacity().add(amount("5.00", A, null));
            forecast.getForecastedBlock().add(block);
        }
        UpdateCableCapacityForecastRequest request = new UpdateCableCapacityForecastRequest();
        request.getForecast().add(forecast);
        return request;
    }

    private static Wire.Call beat(ChargeServiceProviderServiceV10 port, String step, String sender) {
        return () -> {
            HeartbeatRequest beat = new HeartbeatRequest();
            beat.setHeartBeatTimeInterval(300);
            beat.setForecastTimeInterval(900);
            Holder<PartiesType> parties = parties(sender);
            HeartbeatResponse answer = port.heartbeat(beat, parties, new Holder<>(0), new Holder<>(Wire.now()));
            tell(step, parties, answer.getResult());
            Wire.say(step, "current", answer.getCurrentTime());
        };
    }

    public static void main(String[] arguments) throws Exception {
        Wire.tls();
        String wsdl = Wire.env("OSCP_WSDL");
        URL url = wsdl.startsWith("https:") ? new URL(wsdl) : Path.of(wsdl).toUri().toURL();
        ChargeServiceProviderServiceV10_Service service = new ChargeServiceProviderServiceV10_Service(url);
        ChargeServiceProviderServiceV10 port = service.getChargeServiceProviderServiceV10Soap12();
        String us = Wire.env("OSCP_SENDER");
        Wire.call("forecast", () -> {
            Holder<PartiesType> parties = parties(us);
            tell("forecast", parties, port.updateCableCapacityForecast(
                forecast(), parties, new Holder<>(0), new Holder<>(Wire.now())).getResult());
        });
        Wire.call("heartbeat", beat(port, "heartbeat", us));
        Wire.call("stranger", beat(port, "stranger", "nobody"));
        Wire.call("nameless", beat(
            service.getChargeServiceProviderServiceV10Soap12(new AddressingFeature(false)), "nameless", us));
    }

    private CspClient() {}
}
