// Written by `npm run names`: the names of fields and methods, the one used most often first. The compiler numbers names as it meets them,
// and the first 248 take one byte in the code instead of three. This takes none: what is only kept is not called (docs/decisions/0006).

import * as ds from "@devicescript/core"

// prettier-ignore
ds.keep(
    ds.keep
        + "volume" + "node" + "tree" + "uploads" + "segmentPages" + "alive" + "root" + "segment" + "home" + "directory"
        + "slots" + "cache" + "outbox" + "first" + "tags" + "scratch" + "other" + "frames" + "settle" + "buffers" + "used"
        + "bank" + "top" + "epoch" + "inode" + "busy" + "dirtyCount" + "serving" + "account" + "members" + "leaf"
        + "partialPage" + "places" + "arrayId" + "pair" + "sizes" + "valueAt" + "blocks" + "commit" + "clock" + "bytes"
        + "usage" + "segments" + "depth" + "labelled" + "commands" + "nowMs" + "between" + "rootPage" + "sub"
        + "freeSegments" + "rootTail" + "since" + "load" + "runPages" + "labels" + "sinceMs" + "reads" + "badChecks"
        + "available" + "find" + "anchors" + "begin" + "changed" + "partnerOwn" + "stepped" + "journal" + "tag"
        + "progressDue" + "transfer" + "serial" + "betweenTail" + "remove" + "victim" + "elements" + "aloneTicks" + "active"
        + "replies" + "readPage" + "left" + "store" + "now" + "erased" + "live" + "kind" + "run" + "ensure" + "seek"
        + "durable" + "listedPage" + "runCounts" + "cursor" + "hosted" + "changedLast" + "freed" + "extent" + "port"
        + "heardBusMs" + "count" + "heardMs" + "markKinds" + "take" + "partialBytes" + "drop" + "held" + "wake" + "stop"
        + "sha256" + "orphans" + "homeBusy" + "heardPartnerMs" + "markIds" + "markNumbers" + "recorded" + "beatDue"
        + "partnerAlive" + "askedVerb" + "control" + "program" + "erase" + "sequence" + "slot" + "append" + "usageOf" + "put"
        + "setInode" + "hasRuns" + "putExtent" + "mount" + "outcome" + "pages" + "copies" + "toldEnds" + "mounted"
        + "entered" + "one" + "fourIn" + "head" + "partnerBusy" + "partnerRole" + "kinds" + "offset" + "answers" + "outcomes"
        + "heardBus" + "unsettled" + "notify" + "dead" + "tailBefore" + "commitNumber" + "writeAnchor" + "settleAt"
        + "nodeSlot" + "makeRoom" + "touch" + "usedMs" + "recover" + "uploadOf" + "changeNumber" + "news" + "trim"
        + "refusal" + "second" + "toldObjects" + "toldStatus" + "copyDueMs" + "clearTail" + "cleaner" + "four" + "failure"
        + "partnerHold" + "noTakeoverBeforeMs" + "markUsed" + "markTold" + "clear" + "end" + "turn" + "refusals"
        + "workerSignal" + "jobs" + "tidied" + "sectorIsOpen" + "readPages" + "key" + "runBlocks" + "runNext"
        + "leavePartial" + "execute" + "free" + "reply" + "isProtected" + "fiber" + "pending" + "requests" + "header"
        + "weakPage" + "leftOut" + "forget" + "oneIn" + "takeovers" + "givebacks" + "holding" + "partnerSeenOwning"
        + "replaying" + "ids" + "numbers" + "opened" + "size" + "lastSendMs" + "nextBeatMs" + "lastProgressMs"
        + "lastRecordedMs" + "heardPartner" + "lines" + "askedTag" + "answer" + "lastCommandMs" + "worker" + "isReady"
        + "notice" + "identify" + "onLoss" + "use" + "sectors" + "isBlank" + "takeObject" + "closingPages" + "lastGood"
        + "descend" + "valueBytes" + "dirtyPath" + "newNode" + "loadDirectory" + "loadEntry" + "freeKey" + "putEntry"
        + "appendPartial" + "settled" + "refresh" + "step" + "weakUpload" + "writeAttributes" + "findFreeName" + "mark"
        + "frameOf" + "tick" + "block" + "emit",
)
