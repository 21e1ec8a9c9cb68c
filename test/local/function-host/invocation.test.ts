import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { buildHost, type RunningHost, startHost, writeApp } from './host-process.ts';

const CODE = `
import { app } from '@azure/functions';
const steps = [];
app.setup({ capabilities: { OwnCapability: true } });
const core = require('@azure/functions-core');
core.registerHook('appStart', (context) => {
  context.appHookData.fromStart = 'shared';
  context.hookData.fromStart = 'app only';
  steps.push('core appStart ' + (context.functionAppDirectory === process.cwd()));
});
core.registerHook('preInvocation', (context) => {
  if (context.invocationContext.functionName === 'hooked') {
    steps.push('core pre ' + context.appHookData.fromStart + ' ' + context.hookData.fromStart);
  }
});
app.hook.appStart(() => { steps.push('appStart'); });
app.hook.preInvocation((context) => {
  const name = context.invocationContext.functionName;
  if (name === 'steps') return;
  steps.push('pre 1 ' + name);
  context.hookData.number = 1;
});
app.hook.preInvocation((context) => {
  const name = context.invocationContext.functionName;
  if (name === 'hooked') {
    steps.push('pre 2 ' + context.hookData.number);
    context.inputs = ['replaced input'];
    const original = context.functionHandler;
    context.functionHandler = (...args) => original(...args) + ' wrapped';
  }
  if (name === 'refused') throw new Error('refused by a hook');
});
app.hook.postInvocation((context) => {
  const name = context.invocationContext.functionName;
  if (name === 'hooked') {
    steps.push('post ' + context.hookData.number + ' ' + context.result + ' ' + context.error);
    context.result = { body: 'answer of the hook' };
  }
  if (name === 'forgiven') { context.error = null; context.result = { body: 'forgiven' }; }
  if (name === 'refused') steps.push('post refused');
});
app.hook.log((context) => { context.message = context.message.replace('secret', '***'); });
app.http('hooked', { handler: (input) => { steps.push('handler ' + input); return 'result'; } });
app.http('forgiven', { handler: () => { throw new Error('never mind'); } });
app.http('refused', { handler: () => ({ body: 'not reached' }) });
app.http('throwsNothing', { handler: () => { throw undefined; } });
app.http('steps', { handler: () => ({ jsonBody: steps.splice(0) }) });
app.http('logs', { handler: (_, context) => {
  context.trace('a trace'); context.debug('a debug line'); context.log('an information', { n: 1 });
  context.warn('a warning'); context.error('an error with a secret');
  setTimeout(() => context.log('too late'), 1);
  return {};
} });
app.http('registersLate', { handler: () => {
  const problems = [];
  try { app.http('late', { handler: () => ({}) }); } catch (error) { problems.push(error.message); }
  try { app.setup({ enableHttpStream: true }); } catch (error) { problems.push(error.message); }
  return { jsonBody: problems };
} });
`;

let host: RunningHost;

beforeAll(async () => {
  const file = await buildHost();
  host = await startHost(file, await writeApp({ code: CODE }));
});

afterAll(async () => {
  await host.stop();
});

const call = (name: string) => fetch(`${host.url}/api/${name}`);

describe('hooks', () => {
  test('hooks run around the handler in order, share data, and can replace inputs, handler and result', async () => {
    const startup = await host.get('/api/steps');
    const response = await call('hooked');

    expect(startup).toEqual(['core appStart true', 'appStart']);
    expect(await response.text()).toBe('answer of the hook');
    expect(await host.get('/api/steps')).toEqual([
      'core pre shared undefined',
      'pre 1 hooked',
      'pre 2 1',
      'handler replaced input',
      'post 1 result wrapped null',
    ]);
  });

  test('a hook after the handler can remove its error', async () => {
    const response = await call('forgiven');

    expect([response.status, await response.text()]).toEqual([200, 'forgiven']);
  });

  test('a hook that throws before the handler fails the invocation and skips the handler and later hooks', async () => {
    await host.get('/api/steps');
    const response = await call('refused');

    expect(response.status).toBe(500);
    expect(await host.get('/api/steps')).toEqual(['pre 1 refused']);
    await host.printed(/refused failed .*refused by a hook/);
  });

  test('a log hook sees and changes log entries', async () => {
    await call('logs');

    await host.printed(/\[logs\] an error with a \*\*\*/);
  });
});

describe('the worker', () => {
  test('counts a handler that throws undefined as a success', async () => {
    expect((await call('throwsNothing')).status).toBe(200);
  });

  test('prints log entries of the app from level information, with the name of the function', async () => {
    await call('logs');

    await host.printed(/\[logs\] an information \{ n: 1 \}/);
    await host.printed(/\[logs\] a warning/);
    expect(host.output()).not.toMatch(/a trace|a debug line/);
  });

  test('warns of a log call after the end of the function', async () => {
    await call('logs');

    await host.printed(/\[logs\] Warning: Unexpected call to 'log'/);
  });

  test('accepts neither functions nor setup after the app has started', async () => {
    expect(await host.get('/api/registersLate')).toEqual([
      'A function can only be registered during app startup.',
      "Setup options can't be changed after app startup has finished.",
    ]);
  });
});
