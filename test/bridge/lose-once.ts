/** One request whose outcome stays unknown: a frame is lost, and the volume forgets the session before it is sent again. */
import { commandCodes, noticeCode, noticeKinds, requestOps, type RequestOp } from "../../tools/bridge/protocol/numbers"
import type { FakeCabinet } from "./fake-node"

/** Behind the frame's head and the check. */
const isOf = (code: number, op: RequestOp) => (frame: Uint8Array) =>
    frame[14] + 256 * frame[15] === code && (frame[21] & 0x7f) === requestOps[op]

/** The first request of that op is lost, or its reply is; then its session is forgotten, and another client acts. */
export function loseOnce(
    cabinet: FakeCabinet,
    op: RequestOp,
    what: "request" | "reply",
    others: () => void = () => undefined,
): void {
    const [send, toHost] = [cabinet.send.bind(cabinet), cabinet.toHost.bind(cabinet)]
    let isLost = false
    const loses = (is: boolean) => {
        if (!is || isLost) return false
        isLost = true
        cabinet.volumes[0].sessions.clear()
        others()
        return true
    }
    const [isRequest, isReply] = [isOf(commandCodes.request, op), isOf(noticeCode(0, noticeKinds.reply), op)]
    cabinet.send = frame => void (loses(what === "request" && isRequest(frame)) || send(frame))
    cabinet.toHost = frame => void (loses(what === "reply" && isReply(frame)) || toHost(frame))
}
