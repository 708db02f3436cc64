import { describe, it } from 'node:test'
import fc from 'fast-check'
import { CrossingPlay, crossingStep } from '../../../helpers/crossing-play.ts'

const steps = fc.array(crossingStep, { minLength: 1, maxLength: 60, size: 'max' })

describe('jobs between two journals and a broker', () => {
  it('end once each, whoever dies and whatever comes twice', () => {
    fc.assert(
      fc.property(steps, (each) => {
        const play = new CrossingPlay()
        for (const step of each) play.run(step)
        play.finish()
        play.close()
      }),
      { numRuns: 300, includeErrorInReport: true },
    )
  })
})
