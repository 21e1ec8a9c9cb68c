import { describe, expect, test } from '@jest/globals';
import {
  mergeManifests,
  type TargetingDeployment,
} from '../../../local/iot-hub/configurations/merge-manifests.ts';
import { readEdgeContent } from '../../../local/iot-hub/model/edge-content.ts';

const deployment = (id: string, priority: number, modulesContent: object): TargetingDeployment => ({
  id,
  priority,
  modules: readEdgeContent(JSON.parse(JSON.stringify({ modulesContent }))).modules,
});
const base = (id: string, priority: number, modules: object = { sensor: id }) =>
  deployment(id, priority, {
    $edgeAgent: { 'properties.desired': { schemaVersion: '1.1', modules } },
    $edgeHub: { 'properties.desired': { routes: { up: id } } },
  });
const layer = (id: string, priority: number, name: string, value: unknown = id) =>
  deployment(id, priority, { $edgeAgent: { [`properties.desired.modules.${name}`]: value } });

const agent = (...targeting: TargetingDeployment[]) =>
  mergeManifests(targeting).modules.get('$edgeAgent')?.whole;
const statuses = (...targeting: TargetingDeployment[]) =>
  Object.fromEntries(mergeManifests(targeting).statuses);

describe('the manifest of a device that several deployments target', () => {
  test('is the full deployment with the highest priority, and the others are only targeted', () => {
    expect(agent(base('b', 5), base('a', 1))).toEqual({ schemaVersion: '1.1', modules: { sensor: 'b' } });
    expect(statuses(base('b', 5), base('a', 1))).toEqual({
      $edgeAgent: { b: 'Applied', a: 'Targeted' },
      $edgeHub: { b: 'Applied', a: 'Targeted' },
    });
  });

  test('has the layers with a higher priority over the base, the higher one last', () => {
    const merged = agent(
      layer('top', 9, 'camera'),
      layer('low', 7, 'camera'),
      layer('other', 6, 'door'),
      base('b', 5),
    );

    expect(merged).toEqual({ schemaVersion: '1.1', modules: { sensor: 'b', camera: 'top', door: 'other' } });
  });

  test('has no layer with the priority of the base or a lower one', () => {
    expect(agent(base('b', 5), layer('same', 5, 'camera'), layer('low', 1, 'door'))).toEqual({
      schemaVersion: '1.1',
      modules: { sensor: 'b' },
    });
  });

  test('has only the newest of two layers with the same priority', () => {
    const targeting = [layer('new', 7, 'camera'), layer('old', 7, 'door'), base('b', 5)];

    expect(agent(...targeting)).toEqual({ schemaVersion: '1.1', modules: { sensor: 'b', camera: 'new' } });
    expect(statuses(...targeting).$edgeAgent).toEqual({ new: 'Applied', old: 'Targeted', b: 'Applied' });
  });

  test('replaces a module of the base as a whole where a layer has the same name', () => {
    const whole = base('b', 5, { sensor: { image: 'one', env: { a: 1 } } });

    expect(agent(layer('l', 6, 'sensor', { image: 'two' }), whole)).toMatchObject({
      modules: { sensor: { image: 'two' } },
    });
  });

  test('a layer whose values all lose is only targeted', () => {
    expect(statuses(layer('top', 9, 'camera'), layer('low', 7, 'camera'), base('b', 5)).$edgeAgent).toEqual({
      top: 'Applied',
      low: 'Targeted',
      b: 'Applied',
    });
  });

  test('a layer that changes only the twin of a module is applied there, and targeted at the agent', () => {
    const twin = deployment('twin', 7, { $edgeAgent: {}, sensor: { 'properties.desired.interval': 5 } });
    const merged = mergeManifests([twin, base('b', 5)]);

    expect(merged.modules.get('sensor')).toEqual({ parts: [{ path: ['interval'], value: 5 }] });
    expect(Object.fromEntries(merged.statuses)).toMatchObject({
      $edgeAgent: { twin: 'Targeted', b: 'Applied' },
      sensor: { twin: 'Applied' },
    });
  });

  test('properties.desired of a module in a higher layer replaces what lower layers add', () => {
    const add = deployment('add', 6, { $edgeAgent: {}, sensor: { 'properties.desired.a': 1 } });
    const all = deployment('all', 7, { $edgeAgent: {}, sensor: { 'properties.desired': { b: 2 } } });
    const more = deployment('more', 8, { $edgeAgent: {}, sensor: { 'properties.desired.c': 3 } });

    const merged = mergeManifests([more, all, add, base('b', 5)]);

    expect(merged.modules.get('sensor')).toEqual({ whole: { b: 2, c: 3 }, parts: [] });
    expect(merged.statuses.get('sensor')).toEqual({ more: 'Applied', all: 'Applied', add: 'Targeted' });
  });

  test('is nothing without a base', () => {
    expect(mergeManifests([layer('l', 6, 'camera')]).modules.size).toBe(0);
    expect(statuses(layer('l', 6, 'camera')).$edgeAgent).toEqual({ l: 'Targeted' });
  });
});
