/* Calls the DSO's service of OSCP 1.0 with gSOAP. */
#include "wire.h"
#include "DistributionSystemOperatorServiceV10Soap12.nsmap"

static void get(struct soap *soap, const char *step, const char *sender, const char *id, const char *cable_id)
{
  struct ns1__CableType cable;
  struct _ns1__GetCapacityForecastRequest request;
  struct _ns1__GetCapacityForecastResponse answer;
  soap_default_ns1__CableType(soap, &cable);
  cable.CableId = (char *)cable_id;
  request.__sizeCable = cable_id ? 1 : 0;
  request.Cable = &cable;
  address(soap, "/GetCapacityForecast", sender, id);
  if (soap_call___ns1__GetCapacityForecast(soap, getenv("OSCP_URL"), NULL, &request, &answer))
    tell_fault(soap, step);
  else
    tell(soap, step, answer.Result);
}

static void tell_amounts(struct soap *soap, const char *step, const char *what, struct ns1__ValueType *ones, int size)
{
  char text[200];
  int i;
  for (i = 0; i < size; i++) {
    const char *unit = ones[i].Unit ? soap_ns1__UnitOfMeasure2s(soap, *ones[i].Unit) : "-";
    if (ones[i].Phase)
      snprintf(text, sizeof text, "%s %s %d", ones[i].__item, unit, *ones[i].Phase);
    else
      snprintf(text, sizeof text, "%s %s -", ones[i].__item, unit);
    say(step, what, text);
  }
}

static void adjust(struct soap *soap, const char *step, const char *ampere)
{
  struct ns1__ValueType capacity = amount(soap, ampere, ns1__UnitOfMeasure__A, 0);
  struct ns1__CapacityBlockType block;
  struct ns1__CableType cable;
  struct ns1__AdjustmentType one;
  struct _ns1__RequestAdjustedCapacityRequest request;
  struct _ns1__RequestAdjustedCapacityResponse answer;
  char text[300];
  int i, j;
  soap_default_ns1__CapacityBlockType(soap, &block);
  block.__sizeCapacity = 1;
  block.Capacity = &capacity;
  block.StartTime = at(0);
  block.EndTime = at(1);
  soap_default_ns1__CableType(soap, &cable);
  cable.CableId = getenv("OSCP_CABLE");
  soap_default_ns1__AdjustmentType(soap, &one);
  one.Cable = &cable;
  one.__sizeCapacityBlock = 1;
  one.CapacityBlock = &block;
  request.__sizeAdjustment = 1;
  request.Adjustment = &one;
  address(soap, "/RequestAdjustedCapacity", getenv("OSCP_SENDER"), soap_wsa_rand_uuid(soap));
  if (soap_call___ns1__RequestAdjustedCapacity(soap, getenv("OSCP_URL"), NULL, &request, &answer)) {
    tell_fault(soap, step);
    return;
  }
  tell(soap, step, answer.Result);
  for (i = 0; i < answer.__sizeAdjustment; i++)
    for (j = 0; j < answer.Adjustment[i].__sizeCapacityBlock; j++) {
      struct ns1__CapacityBlockType *got = &answer.Adjustment[i].CapacityBlock[j];
      snprintf(text, sizeof text, "%s %s %s", answer.Adjustment[i].Cable->CableId, moment(soap, got->StartTime),
               moment(soap, got->EndTime));
      say(step, "block", text);
      tell_amounts(soap, step, "granted", got->Capacity, got->__sizeCapacity);
      tell_amounts(soap, step, "left", got->RemainingCapacity, got->__sizeRemainingCapacity);
    }
}

static void usage(struct soap *soap)
{
  struct ns1__ValueType values[6];
  struct ns1__UsageBlockType block;
  struct ns1__CableType cable;
  struct ns1__UsageContainerType container;
  struct _ns1__UpdateAggregatedUsageRequest request;
  struct _ns1__UpdateAggregatedUsageResponse answer;
  int phase;
  for (phase = 1; phase <= 3; phase++) {
    values[2 * phase - 2] = amount(soap, "460.00", ns1__UnitOfMeasure__Wh, phase);
    values[2 * phase - 1] = amount(soap, "8.00", ns1__UnitOfMeasure__A, phase);
  }
  soap_default_ns1__UsageBlockType(soap, &block);
  block.__sizeUsage = 6;
  block.Usage = values;
  block.StartTime = at(-8);
  block.EndTime = at(-7);
  soap_default_ns1__CableType(soap, &cable);
  cable.CableId = getenv("OSCP_CABLE");
  soap_default_ns1__UsageContainerType(soap, &container);
  container.Cable = &cable;
  container.__sizeUsageBlock = 1;
  container.UsageBlock = &block;
  request.__sizeUsage = 1;
  request.Usage = &container;
  address(soap, "/UpdateAggregatedUsage", getenv("OSCP_SENDER"), soap_wsa_rand_uuid(soap));
  if (soap_call___ns1__UpdateAggregatedUsage(soap, getenv("OSCP_URL"), NULL, &request, &answer))
    tell_fault(soap, "usage");
  else
    tell(soap, "usage", answer.Result);
}

int main(void)
{
  struct soap *soap = wire();
  const char *us = getenv("OSCP_SENDER");
  get(soap, "forecasts", us, soap_wsa_rand_uuid(soap), getenv("OSCP_CABLE"));
  get(soap, "unknown", us, soap_wsa_rand_uuid(soap), "nowhere");
  adjust(soap, "giveback", "-10.00");
  adjust(soap, "request", "4000.00");
  usage(soap);
  get(soap, "stranger", "nobody", soap_wsa_rand_uuid(soap), NULL);
  get(soap, "nameless", us, NULL, NULL);
  soap_destroy(soap);
  soap_end(soap);
  soap_free(soap);
  return 0;
}
