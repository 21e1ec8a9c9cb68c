// A device with Microsoft's SDK for .NET. It runs in Azure and with the local stack without a change.
using System.Text;
using Microsoft.Azure.Devices.Client;
using Microsoft.Azure.Devices.Shared;

var connectionString = Environment.GetEnvironmentVariable("IOTHUB_DEVICE_CONNECTION_STRING")
    ?? throw new InvalidOperationException("Set IOTHUB_DEVICE_CONNECTION_STRING. See README.md.");
using var stopping = new CancellationTokenSource();
Console.CancelKeyPress += (_, pressed) => { pressed.Cancel = true; stopping.Cancel(); };

using var client = DeviceClient.CreateFromConnectionString(connectionString, TransportType.Mqtt_Tcp_Only);
await client.OpenAsync(stopping.Token);
Console.WriteLine("connected");

await client.SetMethodHandlerAsync("ping", (request, _) =>
{
    Console.WriteLine($"method ping {request.DataAsJson}");
    return Task.FromResult(new MethodResponse(Encoding.UTF8.GetBytes($"{{\"pong\":{request.DataAsJson}}}"), 200));
}, null);
await client.SetDesiredPropertyUpdateCallbackAsync((desired, _) =>
{
    Console.WriteLine($"desired {desired.ToJson()}");
    return Task.CompletedTask;
}, null);
await client.SetReceiveMessageHandlerAsync(async (message, _) =>
{
    Console.WriteLine($"message {Encoding.UTF8.GetString(message.GetBytes())}");
    await client.CompleteAsync(message);
}, null);

var twin = await client.GetTwinAsync(stopping.Token);
Console.WriteLine($"desired {twin.Properties.Desired.ToJson()}");
await client.UpdateReportedPropertiesAsync(new TwinCollection { ["sample"] = "csharp" }, stopping.Token);
Console.WriteLine("reported");

while (!stopping.IsCancellationRequested)
{
    var body = Encoding.UTF8.GetBytes($"{{\"temperature\":{20 + Random.Shared.NextDouble()}}}");
    using var message = new Message(body) { ContentType = "application/json", ContentEncoding = "utf-8" };
    await client.SendEventAsync(message, stopping.Token);
    Console.WriteLine("sent");
    await Task.Delay(1000, stopping.Token).ContinueWith(_ => { });
}
await client.CloseAsync();
