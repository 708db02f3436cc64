/** Arguments: the journal, how many jobs. Leaves them waiting in it, with nobody who runs them. */
import { createRuntime } from '../../runtime/index.ts'
import { siblingUrl } from '../../runtime/sibling-url.ts'
import { answerParent } from '../child.ts'
import { inputs, serviceOptions } from '../service.ts'
import { nap } from '../tasks.ts'

const [file = '', jobs = '0'] = process.argv.slice(2)
const runtime = await createRuntime(serviceOptions(file, { tasks: siblingUrl('../no-tasks', import.meta.url) }))
const { enqueued } = await runtime.enqueueMany(nap, inputs(Number(jobs)))
await runtime.stop()
answerParent(enqueued)
