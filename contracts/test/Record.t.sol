// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Communities} from "../src/Communities.sol";
import {Base} from "./Base.sol";

/// @notice Creation, the record, handover, device cutoffs.
contract RecordTest is Base {
    function test_ids_start_at_one_and_anyone_creates() public {
        eq(id, 1, "first");
        vm.prank(STRANGER);
        eq(registry.create("Second", ""), 2, "second");
        eq(registry.count(), 2, "count");
        eq(registry.access(2, one(STRANGER))[0], 3, "its creator owns it");
    }

    function test_a_page_reads_everything_in_one_call() public view {
        Communities.CommunityView memory c = registry.community(id);
        eq(c.name, "Demo community", "name");
        eq(c.profile, "about", "profile");
        eq(c.owner, OWNER, "owner");
        eq(c.pendingOwner, address(0), "pending");
        eq(c.members, 3, "members");
        eq(c.seats, 3, "seats");
        require(!c.paused, "paused");
        eq(c.version, 3, "version");
        eq(c.rolling, registry.rolling(id), "rolling");
        eq(c.metadata, bytes32(0), "metadata");
        eq(c.created, START, "created");
    }

    function test_names_and_profiles_have_limits() public {
        vm.prank(STRANGER);
        registry.create(text(64), text(4096));
        refused(STRANGER, abi.encodeWithSelector(Communities.NameLength.selector, 65, 64));
        registry.create(text(65), "");
        refused(STRANGER, abi.encodeWithSelector(Communities.NameLength.selector, 0, 64));
        registry.create("", "");
        refused(STRANGER, abi.encodeWithSelector(Communities.ProfileLength.selector, 4097, 4096));
        registry.create("x", text(4097));
        refused(OWNER, abi.encodeWithSelector(Communities.NameLength.selector, 65, 64));
        registry.setName(id, text(65));
        refused(OWNER, abi.encodeWithSelector(Communities.NameLength.selector, 0, 64));
        registry.setName(id, "");
        refused(OWNER, abi.encodeWithSelector(Communities.ProfileLength.selector, 4097, 4096));
        registry.setProfile(id, text(4097));
        eq(registry.count(), 2, "refused creations use no number");
    }

    function testFuzz_the_owner_rewrites_the_record_without_a_new_version(
        string calldata name,
        string calldata profile,
        bytes32 metadata
    ) public {
        vm.assume(bytes(name).length >= 1 && bytes(name).length <= 64);
        vm.assume(bytes(profile).length <= 4096);
        Communities.CommunityView memory before = registry.community(id);
        vm.prank(OWNER);
        registry.setName(id, name);
        vm.prank(OWNER);
        registry.setProfile(id, profile);
        vm.prank(OWNER);
        registry.setMetadata(id, metadata);
        Communities.CommunityView memory c = registry.community(id);
        eq(c.name, name, "name");
        eq(c.profile, profile, "profile");
        eq(c.metadata, metadata, "metadata");
        eq(c.version, before.version, "version");
        eq(c.rolling, before.rolling, "rolling");
    }

    function test_a_short_profile_replaces_a_long_one_whole() public {
        vm.prank(OWNER);
        registry.setProfile(id, text(4096));
        vm.prank(OWNER);
        registry.setProfile(id, "short");
        eq(registry.community(id).profile, "short", "profile");
        vm.prank(OWNER);
        registry.setProfile(id, "");
        eq(registry.community(id).profile, "", "none");
    }

    function test_the_record_is_the_owners_alone() public {
        address[3] memory others = [MODERATOR, MEMBER, STRANGER];
        uint8[3] memory roles = [2, 1, 0];
        for (uint256 i = 0; i < others.length; ++i) {
            bytes memory why = notAllowed(others[i], roles[i], 3);
            refused(others[i], why);
            registry.setName(id, "mine");
            refused(others[i], why);
            registry.setProfile(id, "mine");
            refused(others[i], why);
            registry.setMetadata(id, bytes32(uint256(1)));
            refused(others[i], why);
            registry.setPaused(id, true);
            refused(others[i], why);
            registry.offerOwner(id, others[i]);
        }
    }

    function test_a_handover_takes_two_and_leaves_the_old_owner_a_moderator() public {
        vm.prank(OWNER);
        registry.offerOwner(id, STRANGER);
        eq(registry.community(id).pendingOwner, STRANGER, "offered");
        eq(roleOf(OWNER), 3, "not yet");
        vm.prank(STRANGER);
        registry.acceptOwner(id);
        eq(roleOf(OWNER), 2, "old");
        eq(roleOf(STRANGER), 3, "new");
        Communities.CommunityView memory c = registry.community(id);
        eq(c.owner, STRANGER, "owner");
        eq(c.pendingOwner, address(0), "offer used up");
        eq(c.members, 4, "members");
        refused(STRANGER, notOffered(STRANGER, address(0)));
        registry.acceptOwner(id);
        set(STRANGER, OWNER, 255);
        eq(roleOf(OWNER), 255, "the old owner has no say left");
    }

    function test_a_member_who_takes_over_keeps_one_seat() public {
        vm.prank(OWNER);
        registry.offerOwner(id, MEMBER);
        vm.prank(MEMBER);
        registry.acceptOwner(id);
        eq(registry.community(id).members, 3, "members");
        eq(registry.community(id).seats, 3, "seats");
    }

    function test_nobody_takes_what_was_not_offered_to_him() public {
        refused(MODERATOR, notOffered(MODERATOR, address(0)));
        registry.acceptOwner(id);
        vm.prank(OWNER);
        registry.offerOwner(id, MEMBER);
        refused(MODERATOR, notOffered(MODERATOR, MEMBER));
        registry.acceptOwner(id);
    }

    function test_offers_are_replaced_and_taken_back() public {
        vm.prank(OWNER);
        registry.offerOwner(id, MEMBER);
        vm.prank(OWNER);
        registry.offerOwner(id, MODERATOR);
        refused(MEMBER, notOffered(MEMBER, MODERATOR));
        registry.acceptOwner(id);
        vm.prank(OWNER);
        registry.offerOwner(id, address(0));
        refused(MODERATOR, notOffered(MODERATOR, address(0)));
        registry.acceptOwner(id);
    }

    function test_the_banned_are_offered_nothing_and_accept_nothing() public {
        bytes memory why = abi.encodeWithSelector(Communities.AccountBanned.selector, id, STRANGER);
        vm.prank(OWNER);
        registry.offerOwner(id, STRANGER);
        set(MODERATOR, STRANGER, 255);
        refused(STRANGER, why);
        registry.acceptOwner(id);
        refused(OWNER, why);
        registry.offerOwner(id, STRANGER);
        refused(OWNER, abi.encodeWithSelector(Communities.OwnerSeat.selector, id, OWNER));
        registry.offerOwner(id, OWNER);
    }

    function test_a_device_cutoff_only_moves_forward() public {
        vm.prank(STRANGER);
        registry.setDeviceCutoff(100);
        eq(registry.deviceCutoff(STRANGER), 100, "set");
        eq(registry.deviceCutoff(MEMBER), 0, "the wallet's own");
        refused(STRANGER, abi.encodeWithSelector(Communities.CutoffNotForward.selector, 100, 100));
        registry.setDeviceCutoff(100);
        refused(STRANGER, abi.encodeWithSelector(Communities.CutoffNotForward.selector, 99, 100));
        registry.setDeviceCutoff(99);
    }

    function test_a_device_cutoff_may_be_now_but_not_later() public {
        vm.prank(STRANGER);
        registry.setDeviceCutoff(uint64(START));
        refused(
            STRANGER, abi.encodeWithSelector(Communities.CutoffInFuture.selector, START + 1, START)
        );
        registry.setDeviceCutoff(uint64(START + 1));
    }

    function testFuzz_an_unknown_community_is_refused_everywhere(uint64 other) public {
        vm.assume(other == 0 || other > 1);
        bytes memory why =
            abi.encodeWithSelector(Communities.UnknownCommunity.selector, other, uint64(1));
        bytes[15] memory calls = [
            abi.encodeCall(registry.access, (other, one(OWNER))),
            abi.encodeCall(registry.standings, (other, one(OWNER))),
            abi.encodeCall(registry.community, (other)),
            abi.encodeCall(registry.version, (other)),
            abi.encodeCall(registry.rolling, (other)),
            abi.encodeCall(registry.seats, (other, 0, 1)),
            abi.encodeCall(registry.changes, (other, 0, 1)),
            abi.encodeCall(registry.setRoles, (other, one(OWNER), 1)),
            abi.encodeCall(registry.leaveCommunity, (other)),
            abi.encodeCall(registry.setPaused, (other, true)),
            abi.encodeCall(registry.setName, (other, "x")),
            abi.encodeCall(registry.setProfile, (other, "x")),
            abi.encodeCall(registry.setMetadata, (other, bytes32(uint256(1)))),
            abi.encodeCall(registry.offerOwner, (other, OWNER)),
            abi.encodeCall(registry.acceptOwner, (other))
        ];
        for (uint256 i = 0; i < calls.length; ++i) {
            (bool done, bytes memory answer) = address(registry).call(calls[i]);
            require(!done, "not refused");
            eq(keccak256(answer), keccak256(why), "refused with another error");
        }
    }

    function test_it_takes_no_funds() public {
        (bool done,) = address(registry).call{value: 1}("");
        require(!done, "plain transfer");
        (done,) = address(registry).call{value: 1}(abi.encodeCall(registry.create, ("x", "")));
        require(!done, "with a call");
        eq(address(registry).balance, 0, "balance");
    }

    function notOffered(address by, address offered) private view returns (bytes memory) {
        return abi.encodeWithSelector(Communities.NotOffered.selector, id, by, offered);
    }
}
