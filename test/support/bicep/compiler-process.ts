import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';

/** A running compiler. It keeps what it has read, so that the second file takes a fraction of the time of the first. */
export interface CompilerProcess {
  /** Calls a method of `bicep jsonrpc`; rejects with the compiler's own message. */
  call(method: string, params: unknown): Promise<unknown>;
  close(): void;
}

interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** Starts `bicep jsonrpc`, which speaks JSON-RPC with a header of its length before each message. */
export function startCompiler(path: string, env: NodeJS.ProcessEnv): CompilerProcess {
  const child = spawn(path, ['jsonrpc', '--stdio'], { env });
  const waiting = new Map<number, Waiting>();
  let lastId = 0;
  readMessages(child, (answer) => {
    const { resolve, reject } = waiting.get(answer.id) ?? {};
    waiting.delete(answer.id);
    if (answer.error === undefined) resolve?.(answer.result);
    else reject?.(new Error(answer.error.message));
  });
  const fail = (error: Error) => {
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
  };
  child.on('error', fail);
  child.on('exit', (code) => fail(new Error(`${path} has ended with ${code}`)));
  return {
    call(method, params) {
      lastId += 1;
      const id = lastId;
      const body = JSON.stringify({ jsonrpc: '2.0', id, method, params: [params] });
      child.stdin.write(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
      return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
    },
    close() {
      child.kill();
    },
  };
}

function readMessages({ stdout }: ChildProcessWithoutNullStreams, onAnswer: (answer: Answer) => void): void {
  let read = Buffer.alloc(0);
  stdout.on('data', (chunk: Buffer) => {
    read = Buffer.concat([read, chunk]);
    for (;;) {
      const end = read.indexOf('\r\n\r\n');
      const length = /Content-Length: (\d+)/i.exec(read.subarray(0, Math.max(0, end)).toString())?.[1];
      if (end === -1 || length === undefined || read.length < end + 4 + Number(length)) return;
      const body = read.subarray(end + 4, end + 4 + Number(length)).toString();
      read = read.subarray(end + 4 + Number(length));
      onAnswer(JSON.parse(body) as Answer);
    }
  });
}
