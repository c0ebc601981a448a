/* Calls the CSO's service of OSCP 1.0 with gSOAP. */
#include "wire.h"
#include "ChargeServiceProviderServiceV10Soap12.nsmap"

static void forecast(struct soap *soap)
{
  struct ns1__ValueType capacity[3], remaining = amount(soap, "5.00", ns1__UnitOfMeasure__A, 0);
  struct ns1__ForecastedBlockType blocks[96];
  struct ns1__CableType cable;
  struct ns1__ForecastType one;
  struct _ns1__UpdateCableCapacityForecastRequest request;
  struct _ns1__UpdateCableCapacityForecastResponse answer;
  int i;
  capacity[0] = amount(soap, "33.00", ns1__UnitOfMeasure__A, 1);
  capacity[1] = amount(soap, "22.50", ns1__UnitOfMeasure__A, 2);
  capacity[2] = amount(soap, "11.00", ns1__UnitOfMeasure__A, 3);
  for (i = 0; i < 96; i++) {
    soap_default_ns1__ForecastedBlockType(soap, &blocks[i]);
    blocks[i].__sizeCapacity = 3;
    blocks[i].Capacity = capacity;
    blocks[i].StartTime = at(i);
    blocks[i].EndTime = at(i + 1);
    blocks[i].__sizeRemainingCapacity = 1;
    blocks[i].RemainingCapacity = &remaining;
  }
  soap_default_ns1__CableType(soap, &cable);
  cable.CableId = getenv("OSCP_CABLE");
  soap_default_ns1__ForecastType(soap, &one);
  one.Cable = &cable;
  one.__sizeForecastedBlock = 96;
  one.ForecastedBlock = blocks;
  request.__sizeForecast = 1;
  request.Forecast = &one;
  address(soap, "/UpdateCableCapacityForecast", getenv("OSCP_SENDER"), soap_wsa_rand_uuid(soap));
  if (soap_call___ns1__UpdateCableCapacityForecast(soap, getenv("OSCP_URL"), NULL, &request, &answer))
    tell_fault(soap, "forecast");
  else
    tell(soap, "forecast", answer.Result);
}

static void beat(struct soap *soap, const char *step, const char *sender, const char *id)
{
  struct _ns1__HeartbeatRequest request = {300, 900};
  struct _ns1__HeartbeatResponse answer;
  address(soap, "/Heartbeat", sender, id);
  if (soap_call___ns1__Heartbeat(soap, getenv("OSCP_URL"), NULL, &request, &answer)) {
    tell_fault(soap, step);
  } else {
    tell(soap, step, answer.Result);
    say(step, "current", moment(soap, answer.CurrentTime));
  }
}

int main(void)
{
  struct soap *soap = wire();
  forecast(soap);
  beat(soap, "heartbeat", getenv("OSCP_SENDER"), soap_wsa_rand_uuid(soap));
  beat(soap, "stranger", "nobody", soap_wsa_rand_uuid(soap));
  beat(soap, "nameless", getenv("OSCP_SENDER"), NULL);
  soap_destroy(soap);
  soap_end(soap);
  soap_free(soap);
  return 0;
}
