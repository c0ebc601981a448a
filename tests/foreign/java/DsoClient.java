import static oscp.UnitOfMeasure.A;
import static oscp.UnitOfMeasure.WH;

import java.math.BigDecimal;
import java.net.URL;
import java.nio.file.Path;
import java.util.List;
import javax.xml.ws.Holder;
import javax.xml.ws.soap.AddressingFeature;
import oscp.AdjustmentType;
import oscp.CableType;
import oscp.CapacityBlockType;
import oscp.DistributionSystemOperatorServiceV10;
import oscp.DistributionSystemOperatorServiceV10_Service;
import oscp.GetCapacityForecastRequest;
import oscp.PartiesType;
import oscp.RequestAdjustedCapacityRequest;
import oscp.RequestAdjustedCapacityResponse;
import oscp.Result;
import oscp.UnitOfMeasure;
import oscp.UpdateAggregatedUsageRequest;
import oscp.UsageBlockType;
import oscp.UsageContainerType;
import oscp.ValueType;

/** Calls the DSO's service of OSCP 1.0 with JAX-WS RI. */
final class DsoClient {
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

    private static CableType cable(String id) {
        CableType cable = new CableType();
        cable.setCableId(id);
        return cable;
    }

    private static void tell(String step, Holder<PartiesType> parties, Result result) {
        Wire.say(step, "from", parties.value.getSenderID());
        Wire.say(step, "type", result.getType().value());
        result.getDetails().getDetail().forEach(one ->
            Wire.say(step, "detail", one.getCode() + " " + one.getLevel() + " " + one.getMessage()));
    }

    private static void tell(String step, String what, List<ValueType> values) {
        for (ValueType one : values) {
            String phase = one.getPhase() == null ? "-" : one.getPhase().toString();
            Wire.say(step, what, one.getValue() + " " + one.getUnit().value() + " " + phase);
        }
    }

    private static void get(DistributionSystemOperatorServiceV10 port, String step, String sender, String... cables)
            throws Exception {
        Wire.call(step, () -> {
            GetCapacityForecastRequest request = new GetCapacityForecastRequest();
            for (String one : cables) {
                request.getCable().add(cable(one));
            }
            Holder<PartiesType> parties = parties(sender);
            tell(step, parties, port.getCapacityForecast(
                request, parties, new Holder<>(0), new Holder<>(Wire.now())).getResult());
        });
    }

    private static void adjust(DistributionSystemOperatorServiceV10 port, String step, String ampere)
            throws Exception {
        Wire.call(step, () -> {
            CapacityBlockType block = new CapacityBlockType();
            block.getCapacity().add(amount(ampere, A, null));
            block.setStartTime(Wire.at(0));
            block.setEndTime(Wire.at(1));
            AdjustmentType adjustment = new AdjustmentType();
            adjustment.setCable(cable(Wire.env("OSCP_CABLE")));
            adjustment.getCapacityBlock().add(block);
            RequestAdjustedCapacityRequest request = new RequestAdjustedCapacityRequest();
            request.getAdjustment().add(adjustment);
            Holder<PartiesType> parties = parties(Wire.env("OSCP_SENDER"));
            RequestAdjustedCapacityResponse answer = port.requestAdjustedCapacity(
                request, parties, new Holder<>(1), new Holder<>(Wire.now()));
            tell(step, parties, answer.getResult());
            for (AdjustmentType granted : answer.getAdjustment()) {
                for (CapacityBlockType one : granted.getCapacityBlock()) {
                    String id = granted.getCable().getCableId();
                    Wire.say(step, "block", id + " " + one.getStartTime() + " " + one.getEndTime());
                    tell(step, "granted", one.getCapacity());
                    tell(step, "left", one.getRemainingCapacity());
                }
            }
        });
    }

    private static UpdateAggregatedUsageRequest usage() throws Exception {
        UsageBlockType block = new UsageBlockType();
        for (int phase = 1; phase <= 3; phase++) {
            block.getUsage().add(amount("460.00", WH, phase));
            block.getUsage().add(amount("8.00", A, phase));
        }
        block.setStartTime(Wire.at(-8));
        block.setEndTime(Wire.at(-7));
        UsageContainerType container = new UsageContainerType();
        container.setCable(cable(Wire.env("OSCP_CABLE")));
        container.getUsageBlock().add(block);
        UpdateAggregatedUsageRequest request = new UpdateAggregatedUsageRequest();
        request.getUsage().add(container);
        return request;
    }

    public static void main(String[] arguments) throws Exception {
        Wire.tls();
        String wsdl = Wire.env("OSCP_WSDL");
        URL url = wsdl.startsWith("https:") ? new URL(wsdl) : Path.of(wsdl).toUri().toURL();
        DistributionSystemOperatorServiceV10_Service service = new DistributionSystemOperatorServiceV10_Service(url);
        DistributionSystemOperatorServiceV10 port =
            service.getDistributionSystemOperatorServiceV10Soap12();
        String us = Wire.env("OSCP_SENDER");
        get(port, "forecasts", us, Wire.env("OSCP_CABLE"));
        get(port, "unknown", us, "nowhere");
        adjust(port, "giveback", "-10.00");
        adjust(port, "request", "4000.00");
        Wire.call("usage", () -> {
            Holder<PartiesType> parties = parties(us);
            tell("usage", parties, port.updateAggregatedUsage(
                usage(), parties, new Holder<>(1), new Holder<>(Wire.now())).getResult());
        });
        get(port, "stranger", "nobody");
        get(service.getDistributionSystemOperatorServiceV10Soap12(new AddressingFeature(false)), "nameless", us);
    }

    private DsoClient() {}
}
