// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Communities} from "../src/Communities.sol";

/// @notice The cheatcodes of forge that these tests use.
interface Vm {
    function prank(address sender) external;
    function warp(uint256 timestamp) external;
    function expectRevert(bytes calldata revertData) external;
    function expectEmit(bool topic1, bool topic2, bool topic3, bool data) external;
    function assume(bool condition) external pure;
}

/// @notice A registry with one community: owner, a moderator, a member; plus checks.
abstract contract Base {
    Vm internal constant vm = Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);

    uint256 internal constant START = 1_800_000_000;
    address internal constant OWNER = address(0xA0);
    address internal constant MODERATOR = address(0xA1);
    address internal constant MEMBER = address(0xA2);
    address internal constant STRANGER = address(0xA9);

    Communities internal registry;
    uint64 internal id;

    function setUp() public {
        vm.warp(START);
        registry = new Communities();
        vm.prank(OWNER);
        id = registry.create("Demo community", "about");
        set(OWNER, MODERATOR, 2);
        set(OWNER, MEMBER, 1);
    }

    /// @dev `by` gives `account` the role.
    function set(address by, address account, uint8 role) internal {
        vm.prank(by);
        registry.setRoles(id, one(account), role);
    }

    /// @dev The next call by `by` must revert with exactly this error.
    function refused(address by, bytes memory why) internal {
        vm.expectRevert(why);
        vm.prank(by);
    }

    function notAllowed(address by, uint8 role, uint8 needed) internal view returns (bytes memory) {
        return abi.encodeWithSelector(Communities.NotAllowed.selector, id, by, role, needed);
    }

    function roleOf(address account) internal view returns (uint8) {
        return registry.access(id, one(account))[0];
    }

    function one(address account) internal pure returns (address[] memory list) {
        list = new address[](1);
        list[0] = account;
    }

    /// @dev `n` distinct accounts that are none of the named ones.
    function many(uint256 n) internal pure returns (address[] memory list) {
        list = new address[](n);
        for (uint256 i = 0; i < n; ++i) {
            list[i] = address(uint160(0x10000 + i));
        }
    }

    function text(uint256 length) internal pure returns (string memory) {
        bytes memory raw = new bytes(length);
        for (uint256 i = 0; i < length; ++i) {
            raw[i] = "x";
        }
        return string(raw);
    }

    function eq(uint256 a, uint256 b, string memory what) internal pure {
        require(a == b, what);
    }

    function eq(bytes32 a, bytes32 b, string memory what) internal pure {
        require(a == b, what);
    }

    function eq(address a, address b, string memory what) internal pure {
        require(a == b, what);
    }

    function eq(string memory a, string memory b, string memory what) internal pure {
        require(keccak256(bytes(a)) == keccak256(bytes(b)), what);
    }
}
