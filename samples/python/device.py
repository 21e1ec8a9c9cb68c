"""A device with Microsoft's SDK for Python. It runs in Azure and with the local stack without a change."""

import json
import os
import random
import time

from azure.iot.device import IoTHubDeviceClient, Message, MethodResponse

client = IoTHubDeviceClient.create_from_connection_string(os.environ["IOTHUB_DEVICE_CONNECTION_STRING"])


def on_method(request):
    print("method", request.name, request.payload)
    client.send_method_response(MethodResponse.create_from_method_request(request, 200, {"pong": request.payload}))


def on_message(message):
    print("message", message.data.decode())


def on_desired(patch):
    print("desired", json.dumps(patch))


client.on_method_request_received = on_method
client.on_message_received = on_message
client.on_twin_desired_properties_patch_received = on_desired
client.connect()
print("connected")
print("desired", json.dumps(client.get_twin()["desired"]))
client.patch_twin_reported_properties({"sample": "python"})
print("reported")

try:
    while True:
        message = Message(json.dumps({"temperature": 20 + random.random()}), "utf-8", "application/json")
        client.send_message(message)
        print("sent")
        time.sleep(1)
except KeyboardInterrupt:
    client.shutdown()
