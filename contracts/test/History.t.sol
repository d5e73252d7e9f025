// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Communities} from "../src/Communities.sol";
import {Base} from "./Base.sol";

/// @notice Versions, the rolling digest, the list of changes, paging.
contract HistoryTest is Base {
    event SeatChanged(
        uint64 indexed id,
        address indexed account,
        uint8 role,
        address by,
        uint64 version,
        bytes32 rolling
    );
    event PauseChanged(uint64 indexed id, bool paused, address by, uint64 version, bytes32 rolling);

    /// @dev What a replay of the changes says, by account.
    mapping(address account => uint8 role) private replayed;

    function test_every_change_of_a_seat_or_pause_is_one_version() public {
        eq(registry.version(id), 3, "created, moderator, member");
        vm.prank(OWNER);
        registry.setRoles(id, many(5), 1);
        eq(registry.version(id), 8, "five seats");
        vm.prank(OWNER);
        registry.setPaused(id, true);
        eq(registry.version(id), 9, "pause");
        vm.prank(MEMBER);
        registry.leaveCommunity(id);
        eq(registry.version(id), 10, "leave");
        vm.prank(OWNER);
        registry.offerOwner(id, MODERATOR);
        eq(registry.version(id), 10, "an offer moves no seat");
        vm.prank(MODERATOR);
        registry.acceptOwner(id);
        eq(registry.version(id), 12, "two seats");
        checkReplay();
    }

    function test_what_changes_nothing_is_no_version() public {
        bytes32 before = registry.rolling(id);
        set(OWNER, MEMBER, 1);
        set(OWNER, STRANGER, 0);
        vm.prank(OWNER);
        registry.setPaused(id, false);
        vm.prank(OWNER);
        registry.setRoles(id, new address[](0), 1);
        vm.prank(MEMBER);
        registry.setDeviceCutoff(5);
        eq(registry.version(id), 3, "version");
        eq(registry.rolling(id), before, "rolling");
    }

    function test_a_change_says_who_what_and_when() public {
        vm.warp(START + 60);
        set(MODERATOR, STRANGER, 255);
        vm.prank(OWNER);
        registry.setPaused(id, true);
        vm.prank(OWNER);
        registry.setPaused(id, false);
        Communities.Change[] memory page = registry.changes(id, 3, 10);
        eq(page.length, 3, "three more");
        eq(page[0].account, STRANGER, "who");
        eq(page[0].kind, 255, "banned");
        eq(page[0].time, START + 60, "when");
        eq(page[1].kind, 16, "paused");
        eq(page[1].account, OWNER, "by");
        eq(page[2].kind, 17, "resumed");
    }

    function test_each_change_is_told_by_an_event() public {
        bytes32 next = step(registry.rolling(id), 1, STRANGER, 4);
        vm.expectEmit(true, true, true, true);
        emit SeatChanged(id, STRANGER, 1, MODERATOR, 4, next);
        set(MODERATOR, STRANGER, 1);
        next = step(next, 16, OWNER, 5);
        vm.expectEmit(true, true, true, true);
        emit PauseChanged(id, true, OWNER, 5, next);
        vm.prank(OWNER);
        registry.setPaused(id, true);
    }

    function test_a_seat_tells_since_when() public {
        vm.warp(START + 9);
        set(OWNER, MEMBER, 2);
        Communities.SeatView[] memory page = registry.seats(id, 0, 10);
        eq(page[1].since, START, "the moderator's seat is older");
        eq(page[2].since, START + 9, "changed");
        eq(page[2].role, 2, "role");
    }

    function testFuzz_pages_hold_all_seats_once(uint8 extra, uint8 size) public {
        uint256 total = uint256(extra) % 40;
        uint256 n = uint256(size) % 10 + 1;
        vm.prank(OWNER);
        registry.setRoles(id, many(total), 1);
        total += 3;
        uint256 seen = 0;
        for (uint256 from = 0; from < total + n; from += n) {
            Communities.SeatView[] memory page = registry.seats(id, from, n);
            for (uint256 i = 0; i < page.length; ++i) {
                eq(replayed[page[i].account], 0, "twice");
                replayed[page[i].account] = page[i].role;
            }
            seen += page.length;
            require(page.length <= n, "too long");
        }
        eq(seen, total, "all");
        eq(registry.community(id).seats, total, "seats");
    }

    function testFuzz_paging_beyond_the_end_is_empty(uint256 from, uint256 n) public view {
        uint256 expected = from >= 3 ? 0 : (n < 3 - from ? n : 3 - from);
        eq(registry.seats(id, from, n).length, expected, "seats");
        eq(registry.changes(id, from, n).length, expected, "changes");
    }

    /// @dev Random work by random hands; then the list of changes must explain everything.
    function testFuzz_changes_replay_to_the_seats(uint256[24] calldata moves) public {
        address[6] memory who = [OWNER, MODERATOR, MEMBER, STRANGER, address(0xB0), address(0xB1)];
        for (uint256 i = 0; i < moves.length; ++i) {
            uint256 move = moves[i];
            address by = who[move % 6];
            address to = who[(move >> 8) % 6];
            uint256 what = (move >> 16) % 10;
            uint8[4] memory roles = [0, 1, 2, 255];
            bytes memory call = abi.encodeCall(registry.setRoles, (id, one(to), roles[what % 4]));
            if (what == 6) call = abi.encodeCall(registry.leaveCommunity, (id));
            if (what == 7) call = abi.encodeCall(registry.setPaused, (id, move >> 255 == 1));
            if (what == 8) call = abi.encodeCall(registry.offerOwner, (id, to));
            if (what == 9) call = abi.encodeCall(registry.acceptOwner, (id));
            vm.prank(by);
            (bool done,) = address(registry).call(call);
            done; // Many moves are refused; that is the point.
        }
        checkReplay();
    }

    /// @dev Replays `changes` in two pages and compares with `rolling`, `seats`, `access` and the
    /// counts of `community`.
    function checkReplay() private {
        Communities.CommunityView memory c = registry.community(id);
        bytes32 rolling = 0;
        bool paused = false;
        uint64 version = 0;
        while (version < c.version) {
            Communities.Change[] memory page = registry.changes(id, version, 7);
            require(page.length > 0, "the list ends early");
            for (uint256 i = 0; i < page.length; ++i) {
                rolling = step(rolling, page[i].kind, page[i].account, ++version);
                if (page[i].kind == 16 || page[i].kind == 17) paused = page[i].kind == 16;
                else replayed[page[i].account] = page[i].kind;
            }
        }
        eq(version, c.version, "version");
        eq(rolling, c.rolling, "rolling");
        require(paused == c.paused, "paused");
        Communities.SeatView[] memory all = registry.seats(id, 0, type(uint256).max);
        uint256 members = 0;
        uint256 owners = 0;
        for (uint256 i = 0; i < all.length; ++i) {
            uint8 role = all[i].role;
            eq(replayed[all[i].account], role, "seat");
            require(role != 0, "an empty seat is listed");
            if (role != 255) ++members;
            if (role == 3) {
                ++owners;
                eq(all[i].account, c.owner, "owner");
            }
            eq(roleOf(all[i].account), paused && role == 1 ? 0 : role, "access");
            replayed[all[i].account] = 0;
        }
        eq(owners, 1, "one owner");
        eq(members, c.members, "members");
        address[6] memory who = [OWNER, MODERATOR, MEMBER, STRANGER, address(0xB0), address(0xB1)];
        for (uint256 i = 0; i < who.length; ++i) {
            eq(replayed[who[i]], 0, "a replayed seat is not listed");
        }
    }

    function step(bytes32 rolling, uint8 kind, address account, uint64 version)
        private
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(rolling, kind, account, version));
    }
}
