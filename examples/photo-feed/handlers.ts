import { handle, lazy } from 'millrace'
import { share, thumbnail } from './tasks.ts'

/** Lazy: the image library is loaded by the threads that make thumbnails, and by no other. */
export const thumbnailHandler = handle(
  thumbnail,
  lazy(() => import('./thumbnail.ts')),
)

export const shareHandler = handle(share, async ({ photo, url }, { signal }) => {
  const answer = await fetch(url, { method: 'POST', body: JSON.stringify({ photo }), signal })
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}`)
})
