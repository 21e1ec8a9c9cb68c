import { connect, type TLSSocket } from 'node:tls';
import { generate, type Packet, parser } from 'mqtt-packet';
import { until } from '../iot-hub/local-hubs.ts';

/** A client that speaks packets, or bytes. */
export class RawClient {
  readonly packets: Packet[] = [];
  readonly socket: TLSSocket;
  readonly closed: Promise<void>;

  constructor(port: number, ca: string) {
    const incoming = parser({ protocolVersion: 4 });
    incoming.on('packet', (packet) => this.packets.push({ ...packet }));
    this.socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ca });
    this.socket.on('data', (chunk) => incoming.parse(chunk));
    this.socket.on('error', () => {});
    this.closed = new Promise((resolve) => this.socket.once('close', () => resolve()));
  }

  send(...packets: Packet[]): void {
    this.socket.write(Buffer.concat(packets.map((packet) => generate(packet))));
  }

  answer<Command extends Packet['cmd']>(cmd: Command, count = 1): Promise<Extract<Packet, { cmd: Command }>> {
    return until(
      () =>
        this.packets.filter((packet) => packet.cmd === cmd)[count - 1] as Extract<Packet, { cmd: Command }>,
      `${cmd} number ${count}`,
    );
  }
}
