// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Communities} from "../src/Communities.sol";
import {Base} from "./Base.sol";

/// @notice Who may change whose seat, and what `access` says then.
contract RolesTest is Base {
    function test_a_moderator_adds_and_removes_members() public {
        set(MODERATOR, STRANGER, 1);
        eq(roleOf(STRANGER), 1, "added");
        set(MODERATOR, STRANGER, 0);
        eq(roleOf(STRANGER), 0, "removed");
    }

    function test_a_moderator_bans_and_unbans_members_and_strangers() public {
        set(MODERATOR, MEMBER, 255);
        set(MODERATOR, STRANGER, 255);
        eq(roleOf(MEMBER), 255, "member banned");
        eq(roleOf(STRANGER), 255, "stranger banned");
        set(MODERATOR, MEMBER, 0);
        eq(roleOf(MEMBER), 0, "ban lifted");
    }

    function test_only_the_owner_makes_and_unmakes_moderators() public {
        refused(MODERATOR, notAllowed(MODERATOR, 2, 3));
        registry.setRoles(id, one(MEMBER), 2);
        set(OWNER, MEMBER, 2);
        uint8[3] memory lower = [0, 1, 255];
        for (uint256 i = 0; i < lower.length; ++i) {
            refused(MODERATOR, notAllowed(MODERATOR, 2, 3));
            registry.setRoles(id, one(MEMBER), lower[i]);
        }
        eq(roleOf(MEMBER), 2, "still a moderator");
        set(OWNER, MEMBER, 255);
        eq(roleOf(MEMBER), 255, "the owner bans moderators");
    }

    function test_members_strangers_and_the_banned_set_no_roles() public {
        refused(MEMBER, notAllowed(MEMBER, 1, 2));
        registry.setRoles(id, one(STRANGER), 1);
        refused(STRANGER, notAllowed(STRANGER, 0, 2));
        registry.setRoles(id, one(STRANGER), 1);
        set(OWNER, STRANGER, 255);
        refused(STRANGER, notAllowed(STRANGER, 255, 2));
        registry.setRoles(id, one(STRANGER), 0);
    }

    function test_the_owners_seat_is_out_of_reach_of_setRoles() public {
        bytes memory why = abi.encodeWithSelector(Communities.OwnerSeat.selector, id, OWNER);
        uint8[3] memory roles = [0, 1, 255];
        for (uint256 i = 0; i < roles.length; ++i) {
            refused(MODERATOR, why);
            registry.setRoles(id, one(OWNER), roles[i]);
            refused(OWNER, why);
            registry.setRoles(id, one(OWNER), roles[i]);
        }
    }

    function test_a_ban_must_be_lifted_before_the_account_is_let_in() public {
        set(OWNER, STRANGER, 255);
        bytes memory why = abi.encodeWithSelector(Communities.AccountBanned.selector, id, STRANGER);
        refused(MODERATOR, why);
        registry.setRoles(id, one(STRANGER), 1);
        refused(OWNER, why);
        registry.setRoles(id, one(STRANGER), 2);
        set(OWNER, STRANGER, 0);
        set(MODERATOR, STRANGER, 1);
        eq(roleOf(STRANGER), 1, "in again");
    }

    function testFuzz_only_four_roles_can_be_set(uint8 role) public {
        vm.assume(role > 2 && role != 255);
        refused(OWNER, abi.encodeWithSelector(Communities.RoleNotSettable.selector, role));
        registry.setRoles(id, one(STRANGER), role);
    }

    function test_a_batch_is_done_whole_or_not_at_all() public {
        address[] memory list = many(3);
        list[2] = OWNER;
        refused(OWNER, abi.encodeWithSelector(Communities.OwnerSeat.selector, id, OWNER));
        registry.setRoles(id, list, 1);
        eq(roleOf(list[0]), 0, "nothing happened");
        list[2] = address(0);
        refused(OWNER, abi.encodeWithSelector(Communities.ZeroAccount.selector));
        registry.setRoles(id, list, 1);
    }

    function test_a_batch_takes_two_hundred_accounts_and_no_more() public {
        vm.prank(OWNER);
        registry.setRoles(id, many(200), 1);
        eq(registry.community(id).members, 203, "members");
        refused(OWNER, abi.encodeWithSelector(Communities.BatchLength.selector, 201, 200));
        registry.setRoles(id, many(201), 1);
    }

    function test_an_account_twice_in_a_batch_counts_once() public {
        address[] memory list = new address[](2);
        (list[0], list[1]) = (STRANGER, STRANGER);
        uint64 before = registry.version(id);
        vm.prank(OWNER);
        registry.setRoles(id, list, 1);
        eq(registry.version(id), before + 1, "one change");
        eq(registry.community(id).members, 4, "one member more");
    }

    function test_members_and_moderators_may_leave() public {
        vm.prank(MEMBER);
        registry.leaveCommunity(id);
        vm.prank(MODERATOR);
        registry.leaveCommunity(id);
        eq(roleOf(MEMBER), 0, "member left");
        eq(roleOf(MODERATOR), 0, "moderator left");
        eq(registry.community(id).members, 1, "only the owner remains");
    }

    function test_owner_banned_and_strangers_cannot_leave() public {
        refused(OWNER, abi.encodeWithSelector(Communities.OwnerSeat.selector, id, OWNER));
        registry.leaveCommunity(id);
        refused(STRANGER, abi.encodeWithSelector(Communities.NoSeat.selector, id, STRANGER));
        registry.leaveCommunity(id);
        set(OWNER, MEMBER, 255);
        refused(MEMBER, abi.encodeWithSelector(Communities.AccountBanned.selector, id, MEMBER));
        registry.leaveCommunity(id);
    }

    function test_a_pause_shuts_out_members_alone_and_bans_still_show() public {
        set(OWNER, STRANGER, 255);
        vm.prank(OWNER);
        registry.setPaused(id, true);
        eq(roleOf(MEMBER), 0, "member");
        eq(roleOf(MODERATOR), 2, "moderator");
        eq(roleOf(OWNER), 3, "owner");
        eq(roleOf(STRANGER), 255, "banned");
        vm.prank(OWNER);
        registry.setPaused(id, false);
        eq(roleOf(MEMBER), 1, "member again");
    }

    function test_moderators_work_on_during_a_pause() public {
        vm.prank(OWNER);
        registry.setPaused(id, true);
        set(MODERATOR, STRANGER, 1);
        eq(roleOf(STRANGER), 0, "shut out for now");
        vm.prank(OWNER);
        registry.setPaused(id, false);
        eq(roleOf(STRANGER), 1, "in");
    }

    function test_access_and_standings_answer_a_room_in_order() public {
        vm.prank(MEMBER);
        registry.setDeviceCutoff(uint64(START - 5));
        address[] memory room = new address[](4);
        (room[0], room[1], room[2], room[3]) = (MEMBER, STRANGER, OWNER, MEMBER);
        uint8[] memory roles = registry.access(id, room);
        (uint8[] memory same, uint64[] memory cutoffs) = registry.standings(id, room);
        uint8[4] memory expected = [1, 0, 3, 1];
        for (uint256 i = 0; i < 4; ++i) {
            eq(roles[i], expected[i], "access");
            eq(same[i], expected[i], "standings");
            eq(cutoffs[i], room[i] == MEMBER ? START - 5 : 0, "cutoff");
        }
        eq(registry.access(id, new address[](0)).length, 0, "nobody asked about");
    }

    function test_a_pause_hides_members_in_standings_too() public {
        vm.prank(OWNER);
        registry.setPaused(id, true);
        (uint8[] memory roles,) = registry.standings(id, one(MEMBER));
        eq(roles[0], 0, "shut out");
    }

    function test_roles_of_one_community_mean_nothing_in_another() public {
        vm.prank(STRANGER);
        uint64 other = registry.create("Other", "");
        eq(registry.access(other, one(OWNER))[0], 0, "no seat there");
        vm.expectRevert(abi.encodeWithSelector(Communities.NotAllowed.selector, other, OWNER, 0, 2));
        vm.prank(OWNER);
        registry.setRoles(other, one(MEMBER), 1);
    }
}
