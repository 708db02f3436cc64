import { join } from 'node:path'
import { memory, memoryStore } from '../../adapters/memory/index.ts'
import { spawn } from '../../lib/actor.ts'
import type { Broker } from '../../lib/broker.ts'
import { controlQueues } from '../../lib/control-message.ts'
import { boot, systemGround } from '../../runtime/boot.ts'
import { resolveConfig } from '../../runtime/config/config.ts'
import type { RuntimeOptions } from '../../runtime/index.ts'
import { Runtime } from '../../runtime/runtime.ts'
import { clusterOf } from '../../runtime/supervise/cluster-child.ts'
import type { Wires } from '../../runtime/wires.ts'
import { nextEvent } from './next-event.ts'
import { scratchFolder } from './scratch.ts'
import { fixtureTasks } from './start-runtime.ts'

/** A runtime with the control of nodes over it, and nothing else that a broker would bring. */
export interface RuntimeNode {
  readonly name: string
  readonly runtime: Runtime
  readonly wires: Wires
  readonly file: string
  stop(): Promise<void>
}

/** Starts a runtime that is a node on this broker. */
export async function startNodeOn(
  broker: Broker,
  name: string,
  options: Partial<RuntimeOptions> = {},
): Promise<RuntimeNode> {
  const file = options.journal?.file ?? join(scratchFolder(), `${name}.db`)
  const config = resolveConfig({
    tasks: fixtureTasks,
    tiers: { default: { threads: 1 }, small: { threads: 1 } },
    lanes: { network: { concurrency: 10 } },
    ...options,
    journal: { file },
  })
  const booted = await boot(config, systemGround())
  const reached = broker.open({ queues: controlQueues(name), tell: () => {} })
  booted.wires.cluster = clusterOf(booted.wires, { broker, reached, node: name, role: 'both' })
  const child = spawn(booted.wires.cluster, { id: name })
  await child.started
  const runtime = new Runtime(booted)
  const stop = async () => {
    child.stop()
    await child.exited
    await broker.close()
    await runtime.stop({ graceMs: 0 })
  }
  return { name, runtime, wires: booted.wires, file, stop }
}

/** Starts nodes on one broker, in memory if it is not said which; they are stopped when the test is over. */
export class RuntimeNodes {
  readonly #test: { after(clean: () => unknown): unknown }
  readonly #attach: () => Broker

  constructor(test: { after(clean: () => unknown): unknown }, attach = inMemory()) {
    this.#test = test
    this.#attach = attach
  }

  async start(name: string, options: Partial<RuntimeOptions> = {}): Promise<RuntimeNode> {
    const node = await startNodeOn(this.#attach(), name, options)
    this.#test.after(() => node.stop())
    return node
  }

  /** Two of them, when the first has heard of the second. */
  async pair(patience: { readonly timeoutMs: number }): Promise<readonly [one: RuntimeNode, two: RuntimeNode]> {
    const one = await this.start('one')
    const heard = nextEvent(one.runtime, 'node.status', patience)
    const two = await this.start('two')
    await heard
    return [one, two]
  }
}

function inMemory(): () => Broker {
  const store = memoryStore()
  return () => memory(store)
}
