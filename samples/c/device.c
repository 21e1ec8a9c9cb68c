/* A device with Microsoft's SDK for C. It runs in Azure and with the local stack without a change. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "azure_c_shared_utility/shared_util_options.h"
#include "azure_c_shared_utility/threadapi.h"
#include "iothub.h"
#include "iothub_device_client_ll.h"
#include "iothubtransportmqtt.h"

static void on_twin(DEVICE_TWIN_UPDATE_STATE state, const unsigned char* payload, size_t size, void* context)
{
    (void)state, (void)context;
    printf("desired %.*s\n", (int)size, (const char*)payload);
}

static int on_method(const char* name, const unsigned char* payload, size_t size, unsigned char** response,
                     size_t* response_size, void* context)
{
    (void)context;
    printf("method %s %.*s\n", name, (int)size, (const char*)payload);
    *response = (unsigned char*)malloc(size);
    if (*response == NULL) return 500;
    memcpy(*response, payload, size);
    *response_size = size;
    return 200;
}

static IOTHUBMESSAGE_DISPOSITION_RESULT on_message(IOTHUB_MESSAGE_HANDLE message, void* context)
{
    const unsigned char* body;
    size_t size;
    (void)context;
    if (IoTHubMessage_GetByteArray(message, &body, &size) == IOTHUB_MESSAGE_OK)
        printf("message %.*s\n", (int)size, (const char*)body);
    return IOTHUBMESSAGE_ACCEPTED;
}

static char* read_file(const char* path)
{
    char* text = (char*)calloc(1, 65536);
    FILE* file = path == NULL ? NULL : fopen(path, "rb");
    if (text != NULL && file != NULL) (void)!fread(text, 1, 65535, file);
    if (file != NULL) fclose(file);
    return text;
}

int main(void)
{
    const char* connection_string = getenv("IOTHUB_DEVICE_CONNECTION_STRING");
    if (connection_string == NULL || IoTHub_Init() != 0) return puts("Set IOTHUB_DEVICE_CONNECTION_STRING."), 1;
    IOTHUB_DEVICE_CLIENT_LL_HANDLE client =
        IoTHubDeviceClient_LL_CreateFromConnectionString(connection_string, MQTT_Protocol);
    char* trusted = read_file(getenv("IOTHUB_CA_FILE")); /* absent in Azure: the roots of the system */
    if (trusted != NULL && *trusted != '\0') IoTHubDeviceClient_LL_SetOption(client, OPTION_TRUSTED_CERT, trusted);
    IoTHubDeviceClient_LL_SetDeviceTwinCallback(client, on_twin, NULL);
    IoTHubDeviceClient_LL_SetDeviceMethodCallback(client, on_method, NULL);
    IoTHubDeviceClient_LL_SetMessageCallback(client, on_message, NULL);
    const char* reported = "{\"sample\":\"c\"}";
    IoTHubDeviceClient_LL_SendReportedState(client, (const unsigned char*)reported, strlen(reported), NULL, NULL);
    for (int step = 0;; step += 1)
    {
        if (step % 100 == 0)
        {
            IOTHUB_MESSAGE_HANDLE message = IoTHubMessage_CreateFromString("{\"temperature\":20.5}");
            (void)IoTHubMessage_SetContentTypeSystemProperty(message, "application%2fjson");
            (void)IoTHubMessage_SetContentEncodingSystemProperty(message, "utf-8");
            IoTHubDeviceClient_LL_SendEventAsync(client, message, NULL, NULL);
            IoTHubMessage_Destroy(message);
        }
        IoTHubDeviceClient_LL_DoWork(client);
        ThreadAPI_Sleep(10);
    }
}
