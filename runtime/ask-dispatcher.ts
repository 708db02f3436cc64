import type { DispatcherQuestion } from './messages.ts'
import type { Wires } from './wires.ts'

/** A dispatcher that crashes before it has read a question answers it then, with nothing: what it held has gone back. */
export function askDispatcher(
  { dispatch, asked }: Pick<Wires, 'dispatch' | 'asked'>,
  question: DispatcherQuestion,
): void {
  asked.add(question)
  if (dispatch.tell(question) === 'accepted') return
  asked.delete(question)
  question.answer([])
}
