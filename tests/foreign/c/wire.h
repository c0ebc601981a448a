/* What both clients share: certificates, headers, and telling facts one a line (step, name, value). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "soapH.h"
#include "wsaapi.h"

static struct ns1__PartiesType parties;
static int priority = 0;
static time_t made;

static void say(const char *step, const char *name, const char *value)
{
  printf("%s\t%s\t", step, name);
  for (; value && *value; value++)
    putchar(*value == '\t' || *value == '\n' ? ' ' : *value);
  putchar('\n');
}

static const char *moment(struct soap *soap, time_t when)
{
  return soap_strdup(soap, soap_dateTime2s(soap, when));
}

static time_t at(int quarters)
{
  int year, month, day, hour, minute;
  struct tm start = {0};
  sscanf(getenv("OSCP_START"), "%d-%d-%dT%d:%d", &year, &month, &day, &hour, &minute);
  start.tm_year = year - 1900;
  start.tm_mon = month - 1;
  start.tm_mday = day;
  start.tm_hour = hour;
  start.tm_min = minute;
  return timegm(&start) + 900 * quarters;
}

static struct ns1__ValueType amount(struct soap *soap, const char *value, enum ns1__UnitOfMeasure unit, int phase)
{
  struct ns1__ValueType one;
  soap_default_ns1__ValueType(soap, &one);
  one.__item = soap_strdup(soap, value);
  one.Unit = soap_malloc(soap, sizeof unit);
  *one.Unit = unit;
  if (phase) {
    one.Phase = soap_malloc(soap, sizeof phase);
    *one.Phase = phase;
  }
  return one;
}

static struct soap *wire(void)
{
  struct soap *soap = soap_new1(SOAP_IO_KEEPALIVE | SOAP_C_UTFSTRING);
  soap_register_plugin(soap, soap_wsa);
  if (soap_ssl_client_context(soap, SOAP_SSL_REQUIRE_SERVER_AUTHENTICATION, getenv("OSCP_PEM"), NULL,
                              getenv("OSCP_CA"), NULL, NULL)) {
    soap_print_fault(soap, stderr);
    exit(1);
  }
  return soap;
}

/* Header blocks of the next request. */
static void address(struct soap *soap, const char *action, const char *sender, const char *id)
{
  soap_wsa_request(soap, id, getenv("OSCP_URL"), action);
  parties.senderID = (char *)sender;
  parties.receiverID = getenv("OSCP_RECEIVER");
  made = time(NULL);
  soap->header->ns1__Parties = &parties;
  soap->header->ns1__Priority = &priority;
  soap->header->ns1__DateTime = &made;
}

static void tell_fault(struct soap *soap, const char *step)
{
  const char *code = *soap_faultcode(soap), *colon = code ? strrchr(code, ':') : NULL;
  say(step, "fault", colon ? colon + 1 : code);
  say(step, "reason", *soap_faultstring(soap));
}

static void tell(struct soap *soap, const char *step, struct ns1__Result *result)
{
  struct ns1__DetailsType *details = result->Details;
  char text[600];
  int i;
  say(step, "from", soap->header->ns1__Parties->senderID);
  say(step, "type", soap_ns1__ResultType2s(soap, result->Type));
  for (i = 0; i < details->__sizeDetail; i++) {
    struct ns1__DetailType *one = &details->Detail[i];
    snprintf(text, sizeof text, "%s %s %s", one->Code, soap_ns1__LogLevelType2s(soap, one->Level), one->Message);
    say(step, "detail", text);
  }
}
