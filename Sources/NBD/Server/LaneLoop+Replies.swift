internal import Engine
internal import IO
internal import Units

// From the lane's answers to bytes on sockets.
//
// A connection has at most one send in flight.  It gathers every reply that is finished when it is
// built: headers stand one behind the other in the connection's send area, data stay where the
// lane put them.  What finishes meanwhile goes with the next one.  A request's slot, and what the
// lane holds for it, are given back when its last byte was taken by the socket.
extension LaneLoop {
    /// Takes the lane's answers.
    func takeFinished() {
        while let finished = lane.nextFinished() {
            if finished.context & RequestContext.controlBit != 0 {
                finishControl(finished)
            } else {
                takeAnswer(finished)
            }
        }
    }

    private func takeAnswer(_ finished: Finished) {
        let request = RequestContext.request(finished.context)
        invariant(
            requests[request].partCount > 0
                && requests[request].generation & 0x7FFF_FFFF
                    == RequestContext.generation(finished.context),
            "an answer belongs to a request that is in the lane"
        )
        requests[request].partCount -= 1
        noteStatus(of: finished, request)
        if requests[request].partCount > 0 || requests[request].phase == .arriving {
            return lane.release(finished.token)
        }
        let slot = Int(requests[request].connection)
        if connections[slot].phase == .dead || requests[request].isDropped {
            lane.release(finished.token)
            free(request)
            settleIfDead(slot)
            return finishIfAnswered(slot)
        }
        requests[request].token = finished.token
        requests[request].isHeld = true
        if requests[request].status == .done {
            requests[request].data = finished.data
            requests[request].isHole = finished.isHole
            requests[request].extentCount = Int32(clamping: finished.extentCount)
        }
        if finished.data.byteCount == 0 && finished.extentCount == 0 { release(request) }
        enqueueReply(request)
    }

    /// The first error of a request's parts is that of the request.
    private func noteStatus(of finished: Finished, _ request: Int) {
        guard requests[request].status == .done, finished.status != .done else { return }
        requests[request].status = finished.status
        requests[request].error = finished.status.replyError
        if finished.status == .mediaError && requests[request].command == .read {
            requests[request].failedOffset = finished.failedOffset
            requests[request].hasFailedOffset = true
        }
    }

    // MARK: Building a send

    /// Starts a send on every connection that has replies and none in flight.
    func sendReplies() {
        while let slot = nextToSend() {
            switch connections[slot].phase {
            case .serving, .finishing: sendReplies(of: slot)
            case .handshaking: sendHandshake(slot)
            case .dead: settleIfDead(slot)
            case .free, .lingering: break
            }
        }
    }

    private func sendReplies(of slot: Int) {
        guard !connections[slot].isSending, connections[slot].firstReply >= 0 else { return }
        var gather = Gather(area: sendRegion(slot), list: gatherList(slot))
        var request = connections[slot].firstReply
        var last: Int32 = -1
        let terms = connections[slot].terms
        while request >= 0, hasRoom(for: Int(request), terms, gather) {
            encode(Int(request), terms, &gather)
            last = request
            request = requests[Int(request)].next
        }
        gather.endHeaders()
        invariant(last >= 0, "an empty send area holds any one reply")
        connections[slot].firstSent = connections[slot].firstReply
        connections[slot].firstReply = request
        if request < 0 { connections[slot].lastReply = -1 }
        requests[Int(last)].next = -1
        if request < 0 && connections[slot].phase == .serving && connections[slot].isPrompt
            && !connections[slot].isAtLimit
            && gather.list.byteCount <= limits.quickSendByteCountMax
        {
            quickSendCount += 1
        }
        startSending(slot, gather.list)
    }

    private func hasRoom(for request: Int, _ terms: ConnectionTerms, _ gather: Gather) -> Bool {
        var headerByteCount = WireSize.errorChunkMax
        if requests[request].extentCount > 0 {
            let descriptorCount = min(
                Int(requests[request].extentCount),
                WireLimit.descriptorCountMax
            )
            headerByteCount =
                terms.contexts.count * StatusChunk.byteCount(ofDescriptors: descriptorCount)
        }
        var regionCount = 1
        if requests[request].data.byteCount > 0 { regionCount += 1 }
        if requests[request].isHole && !terms.usesStructuredReplies {
            regionCount += Int(requests[request].byteCount) / zeros.region.byteCount + 1
        }
        return gather.hasRoom(headerByteCount: headerByteCount, regionCount: regionCount)
    }

    /// Appends one reply to the send.
    private func encode(
        _ request: Int,
        _ terms: ConnectionTerms,
        _ gather: inout Gather
    ) {
        let taken = requests[request]
        let area = gather.freeArea
        if taken.error != .none {
            gather.addHeader(encodeFailure(taken, terms, into: area))
        } else if taken.command == .read {
            encodeRead(taken, terms, &gather)
        } else if taken.command == .blockStatus {
            gather.addHeader(encodeStatus(taken, terms, into: area))
        } else {
            gather.addHeader(ReplyEncoding.simple(.none, cookie: taken.cookie, into: area))
        }
    }

    private func encodeRead(
        _ taken: ClientRequest,
        _ terms: ConnectionTerms,
        _ gather: inout Gather
    ) {
        let byteCount = Int(taken.byteCount)
        guard terms.usesStructuredReplies else {
            gather.addHeader(
                ReplyEncoding.simple(.none, cookie: taken.cookie, into: gather.freeArea)
            )
            if taken.isHole {
                var rest = byteCount
                while rest > 0 {
                    let part = min(rest, zeros.region.byteCount)
                    gather.addData(zeros.region[0..<part])
                    rest -= part
                }
            } else if byteCount > 0 {
                gather.addData(taken.data)
            }
            return
        }
        if byteCount == 0 {
            gather.addHeader(ReplyEncoding.nothing(cookie: taken.cookie, into: gather.freeArea))
        } else if taken.isHole {
            gather.addHeader(
                ReplyEncoding.hole(
                    offset: taken.offset,
                    byteCount: byteCount,
                    cookie: taken.cookie,
                    into: gather.freeArea
                )
            )
        } else {
            gather.addHeader(
                ReplyEncoding.data(
                    offset: taken.offset,
                    byteCount: byteCount,
                    cookie: taken.cookie,
                    into: gather.freeArea
                )
            )
            gather.addData(taken.data)
        }
    }

    private func encodeFailure(
        _ taken: ClientRequest,
        _ terms: ConnectionTerms,
        into area: BufferRegion
    ) -> Int {
        guard terms.usesStructuredReplies else {
            return ReplyEncoding.simple(taken.error, cookie: taken.cookie, into: area)
        }
        return ReplyEncoding.failure(
            taken.error,
            text: taken.refusal?.text ?? taken.status.text,
            offset: taken.hasFailedOffset ? taken.failedOffset : nil,
            cookie: taken.cookie,
            into: area
        )
    }

    /// One chunk for each context that the client selected.
    private func encodeStatus(
        _ taken: ClientRequest,
        _ terms: ConnectionTerms,
        into area: BufferRegion
    ) -> Int {
        var filled = 0
        var contextsLeft = terms.contexts.count
        for context in [MetaContext.allocation, .tier, .heat]
        where terms.contexts.contains(context.member) {
            contextsLeft -= 1
            var chunk = StatusChunk(
                target: area[filled..<area.byteCount],
                requestByteCount: taken.byteCount,
                isOnlyOne: taken.flags.contains(.onlyOne)
            )
            var index = 0
            while index < Int(taken.extentCount) && !chunk.isFull {
                let extent = lane.extent(of: taken.token, index: index)
                chunk.append(
                    byteCount: extent.byteCount,
                    status: extent.state.status(in: context)
                )
                index += 1
            }
            filled += chunk.finish(
                context: context,
                cookie: taken.cookie,
                isLast: contextsLeft == 0
            )
        }
        return filled
    }

    // MARK: After a send

    /// Gives back what the sent replies held, and goes on.
    func endReplies(of slot: Int) {
        var request = connections[slot].firstSent
        connections[slot].firstSent = -1
        while request >= 0 {
            let next = requests[Int(request)].next
            release(Int(request))
            free(Int(request))
            request = next
        }
    }

    /// Forgets replies that will not be sent.
    func dropReplies(of slot: Int) {
        var request = connections[slot].firstReply
        connections[slot].firstReply = -1
        connections[slot].lastReply = -1
        while request >= 0 {
            let next = requests[Int(request)].next
            release(Int(request))
            free(Int(request))
            request = next
        }
    }
}
